"""Runs `swim agent` as real processes, reads what they print, and leaves none behind."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from support.hidden import look_through

__all__ = ["STEADY", "SWIM", "AgentProcess", "agents", "ann_and_bob", "environment"]

SWIM = [sys.executable, "-m", "swim_anyio"]
QUICK = ["--probe-interval", "0.2", "--stall-tolerance", "1"]
STEADY = ["--probe-interval", "0.2", "--stall-tolerance", "10"]  # a crowded machine makes nobody a suspect
JSON = ["--format", "json"]
PATIENCE = 30.0  # seconds: for the slowest machine; nothing waits so long on another


def environment(**changes: str) -> dict[str, str]:
    """This process's environment without settings of the command, and with ``changes``; keys are not asked for."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SWIM_")}
    kept["SWIM_INSECURE"] = "1"
    return {**kept, **changes}


class AgentProcess:
    """One agent under ``--format json``, with settings that make it quick."""

    def __init__(
        self,
        name: str,
        *arguments: str,
        join: "AgentProcess | None" = None,
        settings: Sequence[str] = QUICK,
        variables: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        seeds = ["--join", join.address] if join else []
        self.name = name
        self.records: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            [
                *SWIM,
                "agent",
                "--bind",
                "127.0.0.1:0",
                "--name",
                name,
                "--format",
                "json",
                *settings,
                *seeds,
                *arguments,
            ],
            env=environment(**(variables or {})),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)

    @property
    def address(self) -> str:
        """The address as bound; waits for it."""
        return str(self.wait_for("started")["address"])

    def listen(self) -> None:
        """Begin to read its standard output."""
        self._reader.start()

    def wait_for(self, event: str, **facts: object) -> dict[str, Any]:
        """The first record of ``event`` that has these values, once there is one."""
        found: list[dict[str, Any]] = []

        def heard() -> bool:
            found[:] = self.heard(event, **facts)
            return bool(found)

        with self._news:
            assert self._news.wait_for(heard, PATIENCE), f"no {event} {facts} in {self.records}"
        return found[0]

    def heard(self, event: str, **facts: object) -> list[dict[str, Any]]:
        """All such records so far."""
        return [r for r in self.records if r["event"] == event and facts.items() <= r.items()]

    def command(self, line: bytes) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def end(self, number: int | None = None) -> int:
        """Wait for its end, after a signal if one is given; returns the status. It said nothing on stderr."""
        if number is not None:
            self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        assert self.process.stderr is not None
        wrote = self.process.stderr.read()
        look_through("an agent wrote", wrote)
        assert wrote == b""
        if self._reader.ident is not None:
            self._reader.join(PATIENCE)
        return status

    def discard(self) -> None:
        """Kill it if it still runs, and close everything."""
        self.process.kill()
        self.process.send_signal(signal.SIGCONT)
        self.process.wait(PATIENCE)
        if self._reader.ident is not None:
            self._reader.join(PATIENCE)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            look_through("an agent said", line)
            with self._news:
                self.records.append(json.loads(line))
                self._news.notify_all()


@contextmanager
def agents() -> Iterator[Callable[..., AgentProcess]]:
    """Gives what starts an agent (the arguments of `AgentProcess`, and ``listen=False``); ends them all."""
    started: list[AgentProcess] = []

    def start(name: str, *arguments: str, listen: bool = True, **options: Any) -> AgentProcess:
        agent = AgentProcess(name, *arguments, **options)
        started.append(agent)
        if listen:
            agent.listen()
        return agent

    try:
        yield start
    finally:
        for agent in started:
            agent.discard()


@contextmanager
def ann_and_bob() -> Iterator[tuple[AgentProcess, AgentProcess]]:
    """Two agents that know each other."""
    with agents() as start:
        ann = start("ann", settings=STEADY)
        bob = start("bob", "--metadata", "role=cache", join=ann, settings=STEADY)
        ann.wait_for("alive", member="bob")
        bob.wait_for("alive", member="ann")
        yield ann, bob
