"""Waits for enough members without missing the moment when there are.

A waiting thread wakes up later than the node hears of a member. By then that member may be gone, as after a short job.
"""

from collections.abc import Callable, Iterable

from swim_core.events import Event, EventsLost, MemberDied, MemberJoined, MemberLeft, MemberRecovered
from swim_core.member import Member

__all__ = ["Gathering"]


class Gathering:
    """The live members, followed event by event until there are enough. Later events change nothing.

    Subscribe first, then make one of these: it doesn't matter if an event is already reflected in the members.

    Args:
        count: how many are enough.
        members: gives the live members; called at once, and whenever events were lost.
    """

    def __init__(self, count: int, members: Callable[[], Iterable[Member]]) -> None:
        self._count = count
        self._look = members
        self._live = {member.name: member for member in members()}

    @property
    def members(self) -> tuple[Member, ...]:
        """The live members by name, as of the last event taken."""
        return tuple(self._live[name] for name in sorted(self._live))

    @property
    def enough(self) -> bool:
        """Whether that many were live at one moment."""
        return len(self._live) >= self._count

    def take(self, event: Event) -> None:
        """Follow one event, unless there are enough."""
        if self.enough:
            return
        if isinstance(event, MemberJoined | MemberRecovered):
            self._live[event.member.name] = event.member
        elif isinstance(event, MemberDied | MemberLeft):
            self._live.pop(event.member.name, None)
        elif isinstance(event, EventsLost):
            self._live = {member.name: member for member in self._look()}
