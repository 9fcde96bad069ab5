"""Heartbeats that no honest node of a young cluster has, in every kind of datagram that may hold one."""

from collections.abc import Callable, Iterator
from itertools import pairwise

from swim_core import Address
from swim_core.smudge import MemberRecord, Message, Status, Verb

__all__ = ["FAR", "FORGERIES", "NEAR_TOP"]

TOP = 2**32 - 1
FAR = (TOP, TOP - 1, 2**31 + 7, 3 << 30)
NEAR_TOP = 7 << 29
"""A heartbeat that no node's own comes near, whatever others say."""

Forgery = Callable[[Address, Address, Address], Iterator[Message]]
"""From the forger's, the victim's and a third node's address to what the forger sends to the victim."""


def _steps() -> Iterator[int]:
    """Three times up to the top, in steps that grow, each of which might pass for honest."""
    for step in (2**16, 2**27, 2**28):
        codes = range(0, 2**32, step)
        yield from codes if step > 2**16 else [*codes][-2_000:]


def _with(verb: Verb) -> Forgery:
    def forge(forger: Address, victim: Address, third: Address) -> Iterator[Message]:
        first = (MemberRecord(Status.FORWARD_TO, third, 1, None),) if verb is Verb.PINGREQ else ()
        return (Message(verb, forger.port, code, first) for code in FAR)

    return forge


def _record(status: Status, about: str) -> Forgery:
    def forge(forger: Address, victim: Address, third: Address) -> Iterator[Message]:
        whom = {"victim": victim, "third": third, "nobody": Address("10.0.77.77", 9999)}[about]
        return (Message(Verb.ACK, forger.port, 0, (MemberRecord(status, whom, code, None),)) for code in FAR)

    return forge


def _relayed(forger: Address, victim: Address, third: Address) -> Iterator[Message]:
    for code in FAR:
        yield Message(Verb.PINGREQ, forger.port, 1, (MemberRecord(Status.FORWARD_TO, third, code, None),))


def _stepped_pings(forger: Address, victim: Address, third: Address) -> Iterator[Message]:
    return (Message(Verb.PING, forger.port, code) for code in _steps())


def _stepped_records(forger: Address, victim: Address, third: Address) -> Iterator[Message]:
    for low, code in pairwise(_steps()):
        records = (MemberRecord(Status.SUSPECTED, victim, low, None), MemberRecord(Status.DEAD, third, code, None))
        yield Message(Verb.ACK, forger.port, 0, records)


FORGERIES: dict[str, Forgery] = {
    **{f"{verb.name} far ahead": _with(verb) for verb in Verb},
    **{
        f"{status.name} of {about}": _record(status, about)
        for status in (Status.ALIVE, Status.SUSPECTED, Status.DEAD)
        for about in ("victim", "third", "nobody")
    },
    "a relayed ping far ahead": _relayed,
    "stepped pings": _stepped_pings,
    "stepped records": _stepped_records,
}
