"""Puts the pages of an answer together: a view of members, or the reasons of a verdict."""

import re
import time
from collections.abc import Sequence
from typing import Any, cast

import msgspec

from swim_core import Address, Evidence, Member
from swim_core.address import unpack
from swim_core.native.wire.answers import Body, MembersPage, Note, ReasonPage, Row, Standing, Teller
from swim_core.native.wire.claim import as_member, decode_metadata

from ..records import Record
from .writing import ago, span

__all__ = [
    "HEADER",
    "Reasons",
    "Seen",
    "View",
    "asked_record",
    "natural",
    "read_reasons",
    "read_view",
    "standing_words",
]

DIGITS = re.compile(r"(\d+)")
HEADER = ("NAME", "ADDRESS", "STATE", "AGE", "ROUND TRIP", "METADATA")
STANDINGS = {
    Standing.DEAF: "hears nobody at the moment, so this may be out of date",
    Standing.ISOLATED: "has heard nobody for the stall tolerance: it is probably cut off itself, and this out of date",
    Standing.SUPERSEDED: "stays silent because another live process owns its name",
    Standing.UNANSWERED: "is alone: none of its seeds has answered",
    Standing.LEFT: "has left the cluster, so this is getting out of date",
}


class Seen(msgspec.Struct, frozen=True):
    """One member as the asked one sees it: a `Row` in the library's units and types."""

    row: Row
    member: Member

    @property
    def age(self) -> float:
        """Seconds since the asked member learned what it knows of this one."""
        return self.row.age / 1e3

    @property
    def heard(self) -> float | None:
        """Seconds since the asked member heard this one; None for never."""
        return None if self.row.heard is None else self.row.heard / 1e3

    @property
    def round_trip(self) -> float | None:
        """Seconds that its latest answered ping took; None for none yet."""
        return None if self.row.round_trip is None else self.row.round_trip / 1e6

    @property
    def accuser_address(self) -> Address | None:
        """Where the accuser listens, if the asked member knows."""
        return None if self.row.accuser_address is None else unpack(self.row.accuser_address)

    @property
    def evidence(self) -> Evidence:
        """The verdict, without the observations."""
        verdict = self.row.claim.verdict
        return Evidence(None, "", 0) if verdict is None else Evidence(verdict.rule, self.row.accuser, verdict.time)

    def cells(self) -> tuple[str, ...]:
        """The row for people: name, address, state, age, round trip, metadata. Not yet made printable."""
        member = self.member
        metadata = ", ".join(f"{key}={value}" for key, value in sorted(member.metadata.items()))
        state = member.state.name.lower()
        return (member.name, str(member.address), state, ago(self.age), span(self.round_trip), metadata)

    def record(self) -> Record:
        """The row for programs: durations in seconds, null for unknown; ``rule`` and ``accuser`` of a verdict."""
        member, rule = self.member, self.row.rule
        record: Record = {
            "name": member.name,
            "address": str(member.address),
            "state": member.state.name.lower(),
            "age": self.age,
            "heard": self.heard,
            "round_trip": self.round_trip,
            "unanswered": self.row.unanswered,
            "epoch": member.epoch,
            "incarnation": member.incarnation,
            "metadata": dict(member.metadata),
        }
        return record if rule is None else record | {"rule": rule.name.lower(), "accuser": self.row.accuser}


class View(msgspec.Struct, frozen=True):
    """What the asked member, ``teller``, sees: ``members`` by name, at time ``t`` (seconds since 1970)."""

    teller: Teller
    members: dict[str, Seen]
    t: float

    @property
    def live(self) -> list[Seen]:
        """The live members."""
        return [seen for seen in self.members.values() if seen.member.state.live]


class Reasons(msgspec.Struct, frozen=True):
    """What the asked member says about one other; ``seen`` is None if it doesn't know it. ``t`` as in `View`."""

    teller: Teller
    seen: Seen | None
    notes: list[Note]
    t: float

    def unix(self, cluster_ms: int) -> float:
        """A cluster time as seconds since 1970 on this host's clock."""
        return self.t - (self.teller.time - cluster_ms) / 1e3


def read_view(pages: Sequence[Body]) -> View:
    """The pages of MEMBERS or EVERYONE as one view. If a member changed meanwhile, its later row counts."""
    told = cast(Sequence[MembersPage], pages)
    seen = {row.claim.name: _seen(row) for page in told for row in page.rows}
    return View(told[-1].teller, {name: seen[name] for name in sorted(seen, key=natural)}, time.time())


def natural(name: str) -> list[str | int]:
    """A key that sorts names as people count: node-2 before node-10."""
    return [int(part) if part.isdecimal() else part for part in DIGITS.split(name)]


def read_reasons(pages: Sequence[Body]) -> Reasons:
    """The pages of REASON as one object."""
    told = cast(Sequence[ReasonPage], pages)
    last = told[-1]
    notes = [note for page in told for note in page.notes]
    return Reasons(last.teller, None if last.row is None else _seen(last.row), notes, time.time())


def _seen(row: Row) -> Seen:
    """With the metadata that one had until it was gone, since that is what tells whom it is missed by."""
    member = as_member(row.claim)
    if row.last_metadata:
        member = msgspec.structs.replace(member, metadata=decode_metadata(row.last_metadata))
    return Seen(row, member)


def asked_record(teller: Teller) -> dict[str, Any]:
    """The member that answered, for programs."""
    return {
        "name": teller.name,
        "address": str(unpack(teller.address)),
        "standing": teller.standing.name.lower(),
        "live": teller.live,
        "gone": teller.gone,
    }


def standing_words(teller: Teller) -> str:
    """A reason to distrust the view of the member that answered; "" for none."""
    return f"{teller.name} {STANDINGS[teller.standing]}" if teller.standing in STANDINGS else ""
