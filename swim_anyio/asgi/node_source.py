"""What a node itself tells the pages, under the keys that the commands print."""

import time
from collections.abc import AsyncIterator, Sequence
from functools import partial

import anyio

from swim_anyio.anywhere import Anywhere
from swim_anyio.node import AsyncNode
from swim_core import Contact, Evidence, Member, Observation, Past, State, Statistics

from .source import Record, UnknownName

__all__ = ["NodeSource", "unmet"]

AT_ONCE = 128  # members looked up in one go, so that a view of thousands holds the node up for a ms at most
PACE = 0.25  # seconds between two looks at what has happened: soon enough for people, and some 0.02 % of a core
DIGITS = 18  # of a number that a browser may name
LIVE = (State.ALIVE, State.SUSPECT)


class NodeSource:
    """Looks at one node."""

    def __init__(self, node: Anywhere) -> None:
        self._node = node

    async def members(self) -> Record:
        """All members, as `swim members --gone` prints them."""
        found = self._node.look(lambda node: node.members(gone=True))
        rows: list[Record] = []
        for start in range(0, len(found), AT_ONCE):
            rows += self._node.look(partial(_rows, found[start : start + AT_ONCE]))
            await anyio.sleep(0)
        return {"t": time.time(), "event": "members", "asked": self._asked(), "members": rows}

    async def why(self, name: str) -> Record:
        """The verdict and what was observed, as `swim why` prints it."""
        told = self._node.look(partial(_why, name))
        if told is None:
            raise UnknownName(f"{self._node.local.name} knows no member named {name!r}")
        return {"t": time.time(), "event": "why", "asked": self._asked(), **told}

    async def info(self) -> Record:
        """All statistics but the histogram, as `swim info` prints them."""
        figures = self._statistics().to_dict()
        del figures["round_trips"]
        return {"t": time.time(), "event": "info", "asked": self._asked(), "statistics": figures}

    async def rings(self) -> Record:
        """The names of the live members on each ring."""
        rings = self._node.look(lambda node: node.rings())
        return {"t": time.time(), "event": "rings", "asked": self._asked(), "rings": rings}

    async def events(self, after: str) -> AsyncIterator[list[tuple[str, Record]]]:
        """From the node's history, so that nothing is lost between two looks, nor while a client reconnects."""
        run = f"{self._node.local.epoch}-"
        told = after.removeprefix(run)
        number = int(told) if after.startswith(run) and told.isdecimal() and len(told) <= DIGITS else 0
        while True:
            found = self._node.look(partial(_events, number + 1))
            number = found[-1][0] if found else number
            yield [(f"{run}{at}", record) for at, record in found]
            await anyio.sleep(PACE)

    def _statistics(self) -> Statistics:
        return self._node.look(lambda node: node.statistics())

    def _asked(self) -> Record:
        """The node itself, and whether to trust its view."""
        found, local = self._node.look(lambda node: (node.statistics(), node.local))
        counts = found.members
        return {
            "name": local.name,
            "address": str(local.address),
            "standing": _standing(found, local),
            "live": sum(counts.get(state, 0) for state in LIVE),
            "gone": sum(count for state, count in counts.items() if state not in LIVE),
        }


def unmet(found: Statistics) -> bool:
    """Whether a node has seeds and is alone. That is no failure, since a cluster starts with one member."""
    return 0 < found.seeds == found.seeds_unanswered and sum(found.members.get(state, 0) for state in LIVE) <= 1


def _standing(found: Statistics, local: Member) -> str:
    if local.state is State.LEFT:
        return "left"
    if found.superseded:
        return "superseded"
    if found.isolated:
        return "isolated"
    if unmet(found):
        return "unanswered"
    return "deaf" if found.deaf else "fine"


def _rows(members: Sequence[Member], node: AsyncNode) -> list[Record]:
    rows = []
    for member in members:
        contact = node.contact(member.name)
        if contact is not None:  # or it was forgotten meanwhile
            rows.append(_row(member, contact, None if member.state is State.ALIVE else node.explain(member.name)))
    return rows


def _row(member: Member, contact: Contact, evidence: Evidence | None) -> Record:
    row = member.to_dict() | contact.to_dict()
    if evidence is not None and evidence.rule is not None:
        row |= {"rule": str(evidence.rule), "accuser": evidence.accuser}
    return row


def _why(name: str, node: AsyncNode) -> Record | None:
    member, contact, evidence = node.member(name), node.contact(name), node.explain(name)
    if member is None or contact is None or evidence is None:
        return None
    lag = time.time() - node._engine.clock()
    told: Record = {"member": _row(member, contact, evidence)}
    if evidence.rule is not None:
        accuser = node.member(evidence.accuser)
        told["at"] = _given(node, name, evidence) + lag
        told["accuser_address"] = None if accuser is None else str(accuser.address)
    return told | {"observations": [_observation(seen, lag) for seen in evidence.observations]}


def _given(node: AsyncNode, name: str, evidence: Evidence) -> float:
    """When a verdict was given, on the node's clock."""
    for past in reversed(node.history()):
        if past.member == name and past.cluster_time == evidence.cluster_time:
            return past.when
    return node._engine.clock() - (node.statistics().cluster_time - evidence.cluster_time) / 1e3


def _observation(seen: Observation, lag: float) -> Record:
    one: Record = {"t": seen.at + lag, "observer": seen.observer, "what": seen.what, "detail": seen.detail}
    if seen.count > 1:
        one |= {"count": seen.count, "last": (seen.at if seen.last is None else seen.last) + lag}
    return one


def _events(since: int, node: AsyncNode) -> list[tuple[int, Record]]:
    lag, name = time.time() - node._engine.clock(), node.local.name
    return [(past.number, _event(past, lag) | {"seen_by": [name]}) for past in node.history(since=since)]


def _event(past: Past, lag: float) -> Record:
    record: Record = {"t": past.when + lag, "event": past.what, "member": past.member}
    if past.address is not None:
        record["address"] = str(past.address)
    if past.rule is not None:
        record |= {"rule": str(past.rule), "accuser": past.accuser}
    return record
