"""Carries out what people type into an agent, or programs write to it."""

import time
from collections.abc import Callable

from swim_core import SwimError, UnknownMember

from ..crossing import Crossing
from ..node import AsyncNode
from . import records
from .commands import Broadcast, Command, CommandError, Help, Leave, Members, Metadata, Ping, Send, Why, parse
from .output import Output

__all__ = ["Console"]

BUSY = 1.0  # seconds after which a line waits for the loop in a task of its own


class Console:
    """Carries out the lines of standard input.

    Args:
        node: of the agent.
        output: takes answers and errors.
        leave: called at `Leave`.
        confirms: whether broadcasts are confirmed. People would see nothing else of them; for a program that writes
            many lines this would only cost time.
    """

    def __init__(self, node: AsyncNode, output: Output, leave: Callable[[], None], *, confirms: bool) -> None:
        self._node = node
        self._output = output
        self._leave = leave
        self._confirms = confirms
        self._crossing = Crossing()

    def obey_at_once(self, line: bytes) -> bool:
        """Have the loop carry out a line without a task, which is quicker; False if it remains to be done.

        For the thread that reads lines. It waits for the loop, for at most `BUSY`.

        A line that can't be carried out is also left to `obey`, which finds the same error and can report it.
        """
        try:
            match parse(line):
                case Broadcast(payload=payload) if not self._confirms:
                    self._crossing.ask(lambda: self._node.broadcast(payload), BUSY)
                case Send(name=name, payload=payload):
                    self._crossing.ask(lambda: self._node.send(name, payload), BUSY)
                case _:
                    return False
        except (CommandError, SwimError, TimeoutError):
            return False
        return True

    async def obey(self, line: bytes) -> None:
        """Carry out a line of standard input. An error is reported and has no other effect."""
        try:
            answer = await self._carry_out(parse(line))
        except (CommandError, SwimError) as error:
            answer = records.error(line, str(error), t=time.time())
        if answer is not None:
            await self._output.write(answer)

    async def _carry_out(self, command: Command | None) -> records.Record | None:
        node, t = self._node, time.time()
        match command:
            case Broadcast(payload=payload):
                number = node.broadcast(payload)
                return records.sent(number, len(node.members()) - 1, t=t) if self._confirms else None
            case Send(name=name, payload=payload):
                node.send(name, payload)
            case Members():
                return records.members(node.members(), t=t)
            case Why(name=name):
                return self._why(name, t)
            case Ping(name=name):
                round_trip = await node.ping(name)
                return records.pinged(name, round_trip, t=time.time())
            case Metadata(changes=changes):
                if changes:
                    wanted = {**node.local.metadata, **changes}
                    node.update_metadata({key: value for key, value in wanted.items() if value})
                return records.metadata(node.local, t=t)
            case Help():
                return records.help_(t=t)
            case Leave():
                self._leave()
        return None

    def _why(self, name: str, t: float) -> records.Record:
        member, evidence = self._node.member(name), self._node.explain(name)
        if member is None or evidence is None:
            raise UnknownMember(f"no member {name!r}: members lists the live ones")
        return records.why(member, evidence, t=t, now=self._node._engine.clock())
