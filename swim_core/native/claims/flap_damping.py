"""Flap damping: applications hear less of members that die and come back again and again.

A partition that comes and goes every few seconds makes each member of the other side die and recover each time; all of
it is true, and nobody wants to act on it. The idea is that of RFC 2439, with a count in place of a decaying penalty.
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

RECOVERIES, WINDOW = 3, 60.0  # so many within so many seconds are flapping
FRESH_START = (MemberJoined, MemberLeft, MemberForgotten)  # another run, or a goodbye: what was before is over


class _Member(msgspec.Struct):
    recoveries: deque[float] = msgspec.field(default_factory=lambda: deque(maxlen=RECOVERIES))
    quiet_until: Timer | None = None
    """Set while it is damped. The last that was told is then that it recovered."""
    latest: MemberDied | MemberRecovered | None = None


class FlapDamping:
    """Stands between what happens and what applications are told; views and other members know nothing of it.

    From its third recovery in a minute on a member is *damped*: no `MemberDied`, `MemberRecovered` or
    `MemberSuspected` about it is raised until it has been dead or alive for ``flap_damping`` seconds. If it is dead
    then, that is told.
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
