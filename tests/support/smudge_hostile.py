"""Peers that speak Smudge's protocol and do half of their duty, or harm."""

from itertools import cycle
from json import loads

from support.paths import DATA
from support.smudge_original import OriginalNode
from swim_core import Address, Datagram
from swim_core.smudge import Message, Verb

INVALID = DATA / "invalid.json"
PER_TURN = 20  # of the odd datagrams, to each node


class AcksOnly(OriginalNode):
    """Answers, and never pings."""

    def _ping_next(self, now: float) -> None:
        self.timers.at(now + self.interval, self._ping_next)
        if len(self.table) > 1 and not self.heartbeat:  # once, to be known
            super()._ping_next(now)


class Front(AcksOnly):
    """Answers and accuses nobody: a member in whose name somebody else speaks."""

    def _accuse(self, target: Address, now: float) -> None:
        pass


class PingsOnly(OriginalNode):
    """Pings, and never answers."""

    def _send(self, verb: Verb, code: int, to: Address, first: object = ()) -> None:
        if verb is Verb.PING:
            super()._send(verb, code, to)


class RelaysNothing(OriginalNode):
    """Does everything except ping for others."""

    def _receive(self, sender: Address, message: Message, now: float) -> None:
        if message.verb is not Verb.PINGREQ:
            super()._receive(sender, message, now)


class SendsRubbish(OriginalNode):
    """Sends every odd datagram that was ever tried, to everyone, in a loop."""

    rubbish = cycle([bytes.fromhex(case["hex"]) for case in loads(INVALID.read_text())])

    def _ping_next(self, now: float) -> None:
        super()._ping_next(now)
        for address in self.table:
            if address != self.address:
                self.out += [Datagram(next(self.rubbish), address) for _ in range(PER_TURN)]
