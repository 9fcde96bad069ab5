"""Flap damping: applications get fewer events about members that die and recover again and again.

With a partition that comes and goes every few seconds, each member on the other side dies and recovers each time. The
events are true, but nobody wants to act on them. The idea is that of RFC 2439, with a count instead of a decaying
penalty.
"""

from collections import deque

import msgspec

from swim_core.events import (
    Event,
    MemberDied,
    MemberForgotten,
    MemberJoined,
    MemberLeft,
    MemberRecovered,
    MemberSuspected,
)
from swim_core.native.context import NodeContext
from swim_core.shared.timers import Timer

__all__ = ["FlapDamping"]

RECOVERIES, WINDOW = 3, 60.0  # this many recoveries within this many seconds count as flapping
FRESH_START = (MemberJoined, MemberLeft, MemberForgotten)  # another run, or a goodbye: the flapping is over


class _Member(msgspec.Struct):
    recoveries: deque[float] = msgspec.field(default_factory=lambda: deque(maxlen=RECOVERIES))
    quiet_until: Timer | None = None
    """Set while the member is damped. The last event told about it is then a recovery."""
    latest: MemberDied | MemberRecovered | None = None


class FlapDamping:
    """Decides which events reach applications; views and other members are not affected.

    From its third recovery within a minute on, a member is *damped*: no `MemberDied`, `MemberRecovered` or
    `MemberSuspected` about it is raised until it has been dead or alive for ``flap_damping`` seconds. If it is dead
    then, `MemberDied` is raised.
    """

    def __init__(self, context: NodeContext) -> None:
        self._seconds = context.config.flap_damping
        self._timers = context.timers
        self._counters = context.counters
        self._emit = context.emit
        self._members: dict[str, _Member] = {}

    def take(self, event: Event, now: float) -> None:
        """Raise the event, or withhold it."""
        if not self._seconds:
            self._emit(event)
        elif isinstance(event, FRESH_START):
            self._release(event.member.name)
            self._emit(event)
        elif isinstance(event, MemberDied | MemberRecovered | MemberSuspected):
            self._weigh(event, now)
        else:
            self._emit(event)

    def _weigh(self, event: MemberDied | MemberRecovered | MemberSuspected, now: float) -> None:
        name = event.member.name
        member = self._members.get(name)
        if member is not None and member.quiet_until is not None:
            self._counters.events_damped += 1
            if not isinstance(event, MemberSuspected):
                member.latest = event
                self._wait(member, name, now)
            return
        self._emit(event)
        if isinstance(event, MemberRecovered):
            member = self._members.setdefault(name, _Member())
            member.recoveries.append(now)
            if len(member.recoveries) == RECOVERIES and now - member.recoveries[0] < WINDOW:
                self._wait(member, name, now)

    def _wait(self, member: _Member, name: str, now: float) -> None:
        if member.quiet_until is not None:
            member.quiet_until.cancel()
        member.quiet_until = self._timers.at(now + self._seconds, lambda _: self._settled(name))

    def _settled(self, name: str) -> None:
        member = self._members.pop(name)
        if isinstance(member.latest, MemberDied):
            self._emit(member.latest)

    def _release(self, name: str) -> None:
        member = self._members.pop(name, None)
        if member is not None and member.quiet_until is not None:
            member.quiet_until.cancel()
