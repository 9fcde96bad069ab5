"""The demo's agents: real processes, and what each has reported about the others so far.

One thread and one selector read them all while the story waits for a condition; nothing else runs.
No agent outlives the demo, however the demo ends: each holds the reading end of a pipe whose writing end only
the demo has, and leaves when it closes. A stopped agent couldn't notice that. Therefore it is resumed not by the demo
but by a small process that also waits for a pipe to close. All have process groups of their own, so that a Ctrl-C at
the terminal reaches only the demo.
"""

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Self

import attrs
import msgspec

from ..commands import Lines
from ..keys.files import make_file

__all__ = ["Agent", "AgentFailed", "Cluster"]

AGENT = (sys.executable, "-P", "-m", "swim_anyio", "agent")  # -P: nothing in the working directory takes part
REFRESH = 0.1  # seconds between checks of what no pipe announces: deadlines, signals, the screen
FAREWELL = 2.0  # seconds that agents have to leave before they are killed
BELIEFS = {"alive", "suspect", "dead", "left"}


class AgentFailed(Exception):
    """An agent ended that should have kept running; the message has its last words."""


@attrs.define(eq=False)
class Agent:
    """One agent process.

    Attributes:
        name: of the member.
        process: its latest run.
        address: "host:port"; empty until it has started.
        status: what the demo did to it: "starting", "running", "stopped", "killed", "leaving", "left" or,
            if nobody told it to end, "ended".
        beliefs: the state in which it sees each other member: "alive", "suspect", "dead" or "left".
        records: all reports of this run.
        complaints: the last lines on its standard error.
    """

    name: str
    process: "subprocess.Popen[bytes]"
    address: str = ""
    status: str = "starting"
    beliefs: dict[str, str] = attrs.Factory(dict)
    records: list[dict[str, Any]] = attrs.Factory(list)
    complaints: deque[str] = attrs.Factory(lambda: deque(maxlen=3))

    @property
    def up(self) -> bool:
        """Whether it should be running."""
        return self.status in ("starting", "running", "stopped")

    def hear(self, line: bytes) -> dict[str, Any]:
        """Process a line of its standard output; returns the record."""
        record: dict[str, Any] = msgspec.json.decode(line)
        self.records.append(record)
        event, member = record["event"], record.get("member", "")
        if event == "started":
            self.address, self.status = record["address"], "running"
        elif event in BELIEFS and self.up:  # all leave at the end, in no particular order
            self.beliefs[member] = event
        elif event == "forgotten":
            self.beliefs.pop(member, None)
        return record

    def said(self, event: str, *, since: float = 0.0, **facts: object) -> list[dict[str, Any]]:
        """Its records of ``event`` since ``since`` (seconds since 1970) that have these values."""
        return [
            record
            for record in self.records
            if record["event"] == event and record["t"] >= since and facts.items() <= record.items()
        ]

    def command(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        with suppress(OSError):  # it is gone, as whatever waits for the effect will notice
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()


class Cluster:
    """Starts agents, reads what they print, and ends them all; use it as a context manager.

    Args:
        program: an agent, to which the arguments of `swim agent` are added.
        sealed: whether agents have a key.
        on_pause: called between reads, at least every 0.1 s during a wait; it may raise an exception to end the wait.

    Attributes:
        agents: by name, in the order in which they were first started.
        label: of the cluster.
        key_file: of its key; None without one.
        history: the reports of all agents with their names, in the order in which they were read.
    """

    def __init__(self, on_pause: Callable[[], None], *, program: Sequence[str] = AGENT, sealed: bool = False) -> None:
        self.agents: dict[str, Agent] = {}
        self.history: list[tuple[str, dict[str, Any]]] = []
        self._on_pause = on_pause
        self._program = program
        self._selector = selectors.DefaultSelector()
        self._lifeline, self._hold = os.pipe()
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("SWIM_")}
        self.label = f"demo-{os.getpid()}-{time.time_ns()}"
        self._folder = tempfile.TemporaryDirectory(prefix="swim-demo-") if sealed else None
        self.key_file: str | None = None
        if self._folder is not None:
            self.key_file = os.path.join(self._folder.name, "swim.key")
            make_file(self.key_file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, name: str, *, bind: str = "127.0.0.1:0", join: str | None = None) -> Agent:
        """Start an agent, replacing one of that name that has ended; ``join`` is the address of a member."""
        if name in self.agents:
            self._release(self.agents[name])
        arguments = ["--name", name, "--bind", bind, "--cluster", self.label, "--preset", "local", "--format", "json"]
        arguments += ["--lifeline", str(self._lifeline), *(["--join", join] if join else [])]
        arguments += ["--key-file", self.key_file] if self.key_file else []
        process = subprocess.Popen(
            [*self._program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[self._lifeline],
            process_group=0,
            env=self._environment,
        )
        agent = self.agents[name] = Agent(name, process)
        assert process.stdout is not None
        assert process.stderr is not None
        self._listen(process.stdout.fileno(), lambda line: self.history.append((name, agent.hear(line))))
        self._listen(process.stderr.fileno(), lambda line: agent.complaints.append(line.decode(errors="replace")))
        return agent

    def up(self, *but: Agent) -> list[Agent]:
        """The agents that should be running, except ``but``."""
        return [agent for agent in self.agents.values() if agent.up and agent not in but]

    def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Read until ``condition`` holds or the time is up; returns whether it holds.

        Raises:
            AgentFailed: if an agent ended that should be running.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            rest = deadline - time.monotonic()
            if rest <= 0:
                return False
            self._listen_for(min(rest, REFRESH))
            self._on_pause()
            self._check()
        return True

    @contextmanager
    def stopped(self, agent: Agent) -> Iterator[None]:
        """Send SIGSTOP, and SIGCONT at the end of the block."""
        waker = subprocess.Popen(
            ["/bin/sh", "-c", 'read _; kill -CONT "$0"', str(agent.process.pid)],
            stdin=subprocess.PIPE,
            process_group=0,
        )
        try:
            agent.process.send_signal(signal.SIGSTOP)
            agent.status = "stopped"
            yield
        finally:
            assert waker.stdin is not None
            waker.stdin.close()
            waker.wait()
            agent.status = "running"

    def reload_keys(self) -> None:
        """SIGHUP to all agents that run: they read the key file."""
        for agent in self.up():
            agent.process.send_signal(signal.SIGHUP)

    def kill(self, agent: Agent) -> None:
        """SIGKILL."""
        agent.status = "killed"
        agent.process.kill()
        agent.process.wait()

    def close(self) -> None:
        """Let all agents leave, kill those that have not left after two seconds, and reap all."""
        for agent in self.agents.values():
            agent.status = "leaving" if agent.up else agent.status
        os.close(self._hold)
        deadline = time.monotonic() + FAREWELL
        while self._selector.get_map() and (rest := deadline - time.monotonic()) > 0:
            self._listen_for(rest)
        for agent in self.agents.values():
            with suppress(subprocess.TimeoutExpired):
                agent.process.wait(max(0.0, deadline - time.monotonic()))
            agent.process.kill()  # nothing, if it has ended
            agent.process.wait()
            self._release(agent)
        self._selector.close()
        os.close(self._lifeline)
        if self._folder is not None:
            self._folder.cleanup()

    def _listen(self, fd: int, hear: Callable[[bytes], object]) -> None:
        self._selector.register(fd, selectors.EVENT_READ, (Lines(), hear))

    def _listen_for(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            lines, hear = key.data
            data = os.read(key.fd, 65_536)
            if not data:
                self._selector.unregister(key.fd)
            for line in lines.feed(data):
                hear(line)

    def _check(self) -> None:
        for agent in self.agents.values():
            if agent.up and (status := agent.process.poll()) is not None:
                words = " ".join(agent.complaints) or f"status {status}"
                agent.status = "ended"
                raise AgentFailed(f"{agent.name} ended: {words}")

    def _release(self, agent: Agent) -> None:
        """Close the pipes of an agent that has ended."""
        for pipe in (agent.process.stdin, agent.process.stdout, agent.process.stderr):
            assert pipe is not None
            if pipe.fileno() in self._selector.get_map():
                self._selector.unregister(pipe.fileno())
            with suppress(OSError):  # what was not yet written to a process that is gone
                pipe.close()
