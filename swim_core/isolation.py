"""What the application is told while this node hears nobody (docs/protocol.md, section 4)."""

from collections.abc import Callable

from .common import Common
from .events import Evidence, Isolated, MemberDied, MemberRecovered, Reconnected
from .health import Health
from .member import Rule

__all__ = ["Isolation"]


class Isolation:
    """Turns long deafness into events; nothing of it is told to other members."""

    def __init__(self, common: Common, health: Health, *, on_reconnect: Callable[[float], None]) -> None:
        self._membership = common.membership
        self._clock = common.clock
        self._emit = common.emit
        self._health = health
        self._on_reconnect = on_reconnect

    def on_round(self, now: float) -> None:
        """Has silence become deafness, deafness isolation?"""
        isolated, alone = self._health.isolated, self._health.alone
        self._health.check(self._membership.live_count, now)
        if self._health.isolated and not isolated:
            self._emit(Isolated())
        if self._health.alone and not alone:
            evidence = Evidence(Rule.ISOLATED, self._membership.local_name, self._clock.read(now))
            for entry in self._membership.others():
                self._emit(MemberDied(entry.member, evidence))

    def answered(self, now: float) -> None:
        """A member acked a ping of this node: both ways are open, and all that deafness had led to is undone.

        Merely hearing somebody ends the deafness, but not this: a node that nobody hears would else be
        reconnected and isolated again with every ping that a member tries the dead with.
        """
        isolated, alone = self._health.reconnect()
        if alone:
            for entry in self._membership.others():
                self._emit(MemberRecovered(entry.member))
        if isolated:
            self._emit(Reconnected())
            self._on_reconnect(now)
