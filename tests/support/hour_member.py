"""One member of the sealed hour: an agent through all its runs, with what it printed and when."""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Any

from support.hidden import look_through
from support.hosts import Host
from swim_core import Key

__all__ = ["AFTER", "Member"]

AFTER = 6.0  # seconds after a trouble for which what is said of its victim, or by it, is no fault
SHIFTED = """
import runpy, sys, time
off, wall, ns = float(sys.argv.pop(1)), time.time, time.time_ns
time.time, time.time_ns = lambda: wall() + off, lambda: ns() + int(off * 1e9)
runpy.run_module("swim_anyio", run_name="__main__", alter_sys=True)
"""
"""Runs the command under another wall clock."""


class Member:
    """One agent through all its runs, with what it printed and when."""

    def __init__(self, number: int, host: Host, folder: Path) -> None:
        self.name, self.host = f"m{number}", host
        self.address = f"10.77.0.{number}"
        self.said: list[tuple[float, dict[str, Any]]] = []
        self.key_file = folder / f"{self.name}.key"
        self.errors = (folder / f"{self.name}.err").open("ab")
        self.trouble: list[tuple[float, float]] = []
        self.memory: list[tuple[float, float]] = []  # MB, and when
        self.runs: list[tuple[float, float]] = []  # from when it said that it runs until it was killed

    def start(self, seeds: list[str], off: float = 0.0) -> None:
        """Start it under a wall clock that is this many seconds off."""
        joins = [word for seed in seeds if seed != self.address for word in ("--join", f"{seed}:7946")]
        agent = [
            "agent",
            "--format",
            "json",
            "--name",
            self.name,
            "--bind",
            "0.0.0.0:7946",
            "--advertise",
            self.address,
        ]
        self.process = process = subprocess.Popen(
            ["ip", "netns", "exec", self.host.name, sys.executable, "-c", SHIFTED, str(off), *agent, *joins],
            env={**os.environ, "SWIM_KEY_FILE": str(self.key_file)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
        )
        self._reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._reader.start()

    def _read(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            look_through("an agent said", line)
            self.take(json.loads(line), time.monotonic())

    def take(self, record: dict[str, Any], at: float) -> None:
        """Note what it said."""
        self.said.append((at, record))
        if record["event"] == "started":  # on a busy machine this takes seconds
            self.runs.append((at, inf))

    @property
    def seen(self) -> set[str]:
        """The names of the others that it ever said to be alive."""
        return {record["member"] for _, record in list(self.said) if record["event"] == "alive"}

    @property
    def running(self) -> bool:
        """Whether it runs, and has said so."""
        return self.process.poll() is None and bool(self.runs) and self.runs[-1][1] == inf

    def kill(self) -> None:
        """End this run of it."""
        at = time.monotonic()
        self.process.kill()
        self.process.wait()
        self._reader.join()
        if self.runs:
            self.runs[-1] = self.runs[-1][0], min(at, self.runs[-1][1])
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()

    def command(self, line: str) -> None:
        """Write it a line, which may be lost if it is dead."""
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()

    def keys(self, *keys: Key) -> None:
        """Replace its key file by another one."""
        beside = self.key_file.with_suffix(".new")
        beside.write_text("".join(f"{key.reveal()}\n" for key in keys))
        beside.chmod(0o600)
        beside.replace(self.key_file)

    def run_at(self, at: float) -> tuple[float, float]:
        """The run that had said last that it runs, by then."""
        return max((run for run in self.runs if run[0] <= at), default=(at, inf))

    def measure(self, now: float) -> None:
        """Note the memory that it takes, in MB."""
        if self.running:
            pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
            self.memory.append((now, int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6))

    def growth(self) -> list[tuple[float, float]]:
        """The memory of each run that lasted for two minutes, after the first one and in the end."""
        spans = [[mb for at, mb in self.memory if first + 60.0 <= at <= last] for first, last in self.runs]
        lasted = (last - first >= 120.0 for first, last in self.runs)
        return [(span[0], span[-1]) for span, long in zip(spans, lasted, strict=True) if long and span]

    def calm(self, begin: float, end: float) -> bool:
        """Whether one run of it lasted all that time, and nothing was done to it."""
        runs = any(first < begin and end < last for first, last in self.runs)
        return runs and all(b > end or e + AFTER < begin for b, e in self.trouble)
