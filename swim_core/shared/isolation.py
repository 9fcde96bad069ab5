"""The events that tell the application that this node hears nobody (docs/protocol.md, section 4)."""

from collections.abc import Iterable

from swim_core.events import Event, Evidence, Isolated, MemberDied, MemberRecovered, Reconnected
from swim_core.member import Member, Rule

__all__ = ["isolation_began", "isolation_ended"]


def isolation_began(name: str, alone: bool, others: Iterable[Member], cluster_ms: int) -> list[Event]:
    """The events when `LocalHealth.check` finds this node isolated, or later alone.

    Other members are told nothing of this.

    Args:
        name: this node's.
        alone: whether it is alone.
        others: the live members except this node. If it is alone, it regards them as dead from now on.
        cluster_ms: the time, for evidence.
    """
    if not alone:
        return [Isolated()]
    evidence = Evidence(Rule.ISOLATED, name, cluster_ms)
    return [MemberDied(member, evidence) for member in others]


def isolation_ended(alone: bool, others: Iterable[Member]) -> list[Event]:
    """The events when the isolation ends: they take back all earlier ones."""
    recovered: list[Event] = [MemberRecovered(member) for member in others] if alone else []
    return [*recovered, Reconnected()]
