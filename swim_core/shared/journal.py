"""What happened to members lately, as this node came to know it, bounded so that nobody can fill the memory.

The events themselves go to the application, and are gone. An operator who comes later asks for these.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from heapq import merge
from math import inf

from swim_core.events import (
    Event,
    Evidence,
    Isolated,
    MemberDied,
    MemberJoined,
    MemberLeft,
    MemberRecovered,
    MemberSuspected,
    MemberUpdated,
    Past,
    Reconnected,
)
from swim_core.member import Member

__all__ = ["Journal"]

VERDICTS = 512  # kept: suspicions, deaths and goodbyes, at some 300 bytes each
CHANGES = 256  # kept of all else, apart, so that a crowd of newcomers doesn't push out why others are gone


WORDS: Mapping[type[Event], str] = {
    MemberJoined: "joined",
    MemberSuspected: "suspect",
    MemberRecovered: "recovered",
    MemberDied: "dead",
    MemberLeft: "left",
    MemberUpdated: "updated",
    Isolated: "isolated",
    Reconnected: "reconnected",
}
"""What is kept, and what it is called: who came and who came back are different things afterwards."""


class Journal:
    """The latest verdicts and changes.

    Args:
        name: of this node.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._verdicts: deque[Past] = deque(maxlen=VERDICTS)
        self._changes: deque[Past] = deque(maxlen=CHANGES)
        self._number = 0

    def take(self, event: Event, now: float, cluster_ms: int) -> None:
        """Keep an event that says something of a member's state, or of this node's; others are not kept.

        ``cluster_ms`` is the time ``now`` on the clock of verdicts.
        """
        what = WORDS.get(type(event))
        if what is None:
            return
        self._number += 1
        match event:
            case MemberSuspected() | MemberDied() | MemberLeft():
                self._verdicts.append(self._about(what, event.member, event.evidence, now, cluster_ms))
            case MemberJoined() | MemberRecovered() | MemberUpdated():
                self._changes.append(self._about(what, event.member, None, now, cluster_ms))
            case _:
                self._changes.append(Past(self._number, now, now, what, self._name))

    def since(self, number: int, oldest: float = -inf) -> Iterator[Past]:
        """What is kept from ``number`` on and was learned at ``oldest`` or later, in the order of numbers."""
        for past in merge(self._verdicts, self._changes, key=lambda kept: kept.number):
            if past.number >= number and past.at >= oldest:
                yield past

    def _about(self, what: str, member: Member, evidence: Evidence | None, now: float, cluster_ms: int) -> Past:
        found = evidence or Evidence(None, "", 0)
        age = max(0, cluster_ms - found.cluster_time) / 1e3 if found.cluster_time else 0.0
        return Past(
            self._number,
            now,
            now - age,
            what,
            member.name,
            member.address,
            member.epoch,
            member.incarnation,
            found.rule,
            found.accuser,
            found.cluster_time,
        )
