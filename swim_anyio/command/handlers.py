"""`swim agent --on EVENTS COMMAND`: runs a command for events, bounded in number and time.

The command gets the event as JSON on its standard input, as `--format json` prints it, and its main parts as variables.
It runs in a session of its own, so that Ctrl-C and the end of the agent don't end it, and without a shell.
"""

import logging
import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

import anyio
import anyio.to_thread
import msgspec

from swim_core import ConfigError
from swim_core.events import KINDS

from .records import SILENT, Record, to_json

__all__ = ["EVENTS", "Handlers", "On", "read_on"]

log = logging.getLogger("swim_anyio.handlers")

EVENTS = frozenset(word for kind, word in KINDS.items() if kind not in SILENT)
"""The events that there are commands for."""
AT_A_TIME = 4  # commands that run at the same time
WAITING = 256  # events that wait for a command to end; later ones are dropped, and counted in the log
LONGEST = 60.0
"""Seconds after which a command is killed."""
PARTS = ("event", "member", "address", "rule", "accuser")


class On(msgspec.Struct, frozen=True):
    """The option: which command runs for which events."""

    events: frozenset[str]
    command: tuple[str, ...]


def read_on(pair: Sequence[str] | None) -> On | None:
    """The option from its two words.

    Raises:
        ConfigError: if an event is unknown, or the command empty.
    """
    if not pair:
        return None
    words, command = pair
    events = frozenset(word.strip() for word in words.split(","))
    if unknown := sorted(events - EVENTS):
        raise ConfigError(f"--on: there is no event {unknown[0]!r}, only {', '.join(sorted(EVENTS))}")
    try:
        arguments = tuple(shlex.split(command))
    except ValueError as error:
        raise ConfigError(f"--on: {command!r}: {error}") from None
    if not arguments:
        raise ConfigError("--on EVENTS COMMAND: the command is empty")
    return On(events, arguments)


class Handlers:
    """Runs the command of an agent.

    Args:
        on: for which events, and which.
        name: of the member that the agent is; the command finds it as ``ON_SELF``.
    """

    def __init__(self, on: On, name: str) -> None:
        self._on = on
        self._name = name
        self._send, self._receive = anyio.create_memory_object_stream[Record](WAITING)
        self._dropped = 0

    def take(self, record: Record) -> None:
        """Run the command for a record soon, if its event is one of those; never waits."""
        if record["event"] not in self._on.events:
            return
        try:
            self._send.send_nowait(record)
        except anyio.WouldBlock:
            if not self._dropped:
                log.warning("--on: %d events wait for commands to end; further ones are dropped", WAITING)
            self._dropped += 1
        except anyio.ClosedResourceError:  # the agent is about to leave
            pass

    async def serve(self) -> None:
        """Run commands, `AT_A_TIME` at once, until cancelled. Those that are running then continue."""
        with self._send, self._receive:
            await self._serve()

    async def _serve(self) -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(AT_A_TIME):
                tasks.start_soon(self._work)

    async def _work(self) -> None:
        async for record in self._receive:
            if self._dropped and not self._receive.statistics().current_buffer_used:
                log.warning("--on: %d events were dropped", self._dropped)
                self._dropped = 0
            await anyio.to_thread.run_sync(self._run, record, abandon_on_cancel=True)

    def _run(self, record: Record) -> None:
        command = self._on.command
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,  # the agent's own standard output is for its records
                env={**os.environ, **variables(record, self._name)},
                start_new_session=True,
            )
        except OSError as error:
            log.warning("--on: %s can't be run: %s", command[0], error.strerror or error)
            return
        try:
            process.communicate(to_json(record), timeout=LONGEST)
        except subprocess.TimeoutExpired:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            log.warning("--on: %s was killed after %g s", command[0], LONGEST)
        else:
            if process.returncode:
                log.warning("--on: %s ended with status %d", command[0], process.returncode)


def variables(record: Mapping[str, object], name: str) -> dict[str, str]:
    """What the command finds in its environment: ``ON_EVENT``, ``ON_MEMBER`` and so on, as far as the event has it."""
    found = {f"ON_{part.upper()}": str(record[part]) for part in PARTS if part in record}
    return {"ON_SELF": name, **found}
