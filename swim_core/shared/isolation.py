"""What the application is told while this node hears nobody (docs/protocol.md, section 4)."""

from collections.abc import Iterable

from swim_core.events import Event, Evidence, Isolated, MemberDied, MemberRecovered, Reconnected
from swim_core.member import Member, Rule

__all__ = ["isolation_began", "isolation_ended"]


def isolation_began(name: str, alone: bool, others: Iterable[Member], cluster_ms: int) -> list[Event]:
    """What to tell when `LocalHealth.check` finds this node isolated, or, later on, alone.

    Nothing of it is told to other members.

    Args:
        name: this node's.
        alone: whether it is that.
        others: the live members except this node, which are dead to it from now on if it is alone.
        cluster_ms: the time, for evidence.
    """
    if not alone:
        return [Isolated()]
    evidence = Evidence(Rule.ISOLATED, name, cluster_ms)
    return [MemberDied(member, evidence) for member in others]


def isolation_ended(alone: bool, others: Iterable[Member]) -> list[Event]:
    """What to tell when this node is heard again: all that was told is undone."""
    recovered: list[Event] = [MemberRecovered(member) for member in others] if alone else []
    return [*recovered, Reconnected()]
