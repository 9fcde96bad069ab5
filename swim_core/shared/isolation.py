"""What the application is told while this node hears nobody (docs/protocol.md, section 4)."""

from collections.abc import Callable, Iterable

from swim_core.events import Event, Evidence, Isolated, MemberDied, MemberRecovered, Reconnected
from swim_core.member import Member, Rule

from .local_health import LocalHealth

__all__ = ["Isolation"]


class Isolation:
    """Turns long deafness into events; nothing of it is told to other members.

    Args:
        name: this node's.
        health: knows whether it is deaf.
        others: the live members except this node.
        cluster_time: in ms, for evidence.
        emit: raises an event.
        on_reconnect: called at the end of an isolation.
    """

    def __init__(
        self,
        name: str,
        health: LocalHealth,
        *,
        others: Callable[[], Iterable[Member]],
        cluster_time: Callable[[float], int],
        emit: Callable[[Event], None],
        on_reconnect: Callable[[float], None],
    ) -> None:
        self._name = name
        self._health = health
        self._others = others
        self._cluster_time = cluster_time
        self._emit = emit
        self._on_reconnect = on_reconnect

    def on_round(self, live: int, now: float) -> None:
        """Has silence become deafness, deafness isolation? ``live`` counts live members, this node included."""
        isolated, alone = self._health.isolated, self._health.alone
        self._health.check(live, now)
        if self._health.isolated and not isolated:
            self._emit(Isolated())
        if self._health.alone and not alone:
            evidence = Evidence(Rule.ISOLATED, self._name, self._cluster_time(now))
            for member in self._others():
                self._emit(MemberDied(member, evidence))

    def answered(self, now: float) -> None:
        """A member acked a ping of this node: both ways are open, and all that deafness had led to is undone.

        Merely hearing somebody ends the deafness, but not this: a node that nobody hears would else be
        reconnected and isolated again with every ping that a member tries the dead with.
        """
        isolated, alone = self._health.reconnect()
        if alone:
            for member in self._others():
                self._emit(MemberRecovered(member))
        if isolated:
            self._emit(Reconnected())
            self._on_reconnect(now)
