"""The duty of a relay: ping a node for others, and pass its answer on.

A real node that asks, and hears nothing, suspects the target, so that a relay that fails harms a healthy third.
"""

from swim_core.address import Address
from swim_core.counters import Counters, DropReason
from swim_core.shared.rate_limit import RateLimit
from swim_core.shared.timers import Timers

from .codec import Verb
from .heartbeat import Heartbeat
from .outbox import Outbox

__all__ = ["Relay"]

KEEP = 2.0  # seconds for which an answer is passed on: longer than anybody waits for it
FORWARDS = 500  # a second, so that forged requests can't make this node flood others


class Relay:
    """Forwards pings for any node, to any target."""

    def __init__(
        self, local: Address, heartbeat: Heartbeat, outbox: Outbox, timers: Timers, counters: Counters
    ) -> None:
        self._local = local
        self._heartbeat = heartbeat
        self._outbox = outbox
        self._timers = timers
        self._counters = counters
        self._limit = RateLimit(FORWARDS)
        self._requesters: dict[tuple[Address, int], dict[Address, int]] = {}  # and the code that each asked with

    def asked(self, requester: Address, target: Address, code: int, now: float, *, credible: bool) -> None:
        """Ping a target with the code of the request; several may ask the same.

        One that is not ``credible`` is for the requester alone: a real node that was pinged with it would follow it.
        """
        if target == self._local:
            self._outbox.send(Verb.ACK, code, requester)
            return
        if not self._limit.allow(now):
            self._counters.drop(DropReason.RATE_LIMITED)
            return
        key = (target, code if credible else self._heartbeat.next())
        if key not in self._requesters:
            self._requesters[key] = {}
            self._timers.at(now + KEEP, lambda at: self._forget(key))
        self._requesters[key][requester] = code
        self._outbox.send(Verb.NFPING, key[1], target)

    def _forget(self, key: tuple[Address, int]) -> None:
        self._requesters.pop(key, None)

    def answered(self, target: Address, code: int) -> None:
        """Pass a node's answer on to all that asked for it."""
        for requester, asked in self._requesters.pop((target, code), {}).items():
            self._outbox.send(Verb.ACK, asked, requester)
