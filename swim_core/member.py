"""Members as applications see them: names, states, and why a state was given."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import TypeVar

import attrs
import msgspec

from .address import Address

__all__ = ["Contact", "Member", "Rule", "State"]

MAX_NAME = 64


class State(IntEnum):
    """How a member fares, in order of precedence among claims of one incarnation."""

    ALIVE = 0
    SUSPECT = 1
    DEAD = 2
    LEFT = 3

    live: bool
    """ALIVE and SUSPECT members are live: they count, are probed and receive everything."""

    def __init__(self, value: int) -> None:
        self.live = value < 2  # DEAD; an attribute, since every claim is asked several times


E = TypeVar("E", bound=IntEnum)


def keep_number(kind: type[E], value: object) -> E | None:
    """For ``_missing_`` of what travels: a number that only a newer release has a name for is kept as it is.

    It is called ``RULE_9``, say. From 0 to 255, so that no more than these are ever made.
    """
    if not isinstance(value, int) or not 0 <= value <= 255:
        return None
    made = int.__new__(kind, value)
    made._name_, made._value_ = f"{kind.__name__.upper()}_{value}", value
    kind._value2member_map_[value] = made  # once, so that it is one object as the others are
    return made


def known(value: IntEnum) -> bool:
    """Whether this release has a name for a value that travelled."""
    return value.name in type(value).__members__


class Rule(IntEnum):
    """Why a verdict was given (docs/protocol.md, sections 1, 4 and 7)."""

    SUSPICION = 0
    """Silent for half the stall tolerance, as another member confirms."""
    GONE = 1
    """The kernel at its address refused, here and at a helper."""
    SILENT = 2
    """Silent for the stall tolerance, here and at a quorum of helpers."""
    HOST_GONE = 3
    """Its kernel is silent too, for the shorter host tolerance."""
    LEFT = 4
    """It said goodbye."""
    RESTARTED = 5
    """A newer run of the same name took its place."""
    ISOLATED = 6
    """This node heard nobody for three times the stall tolerance; nothing is claimed about others."""

    @classmethod
    def _missing_(cls, value: object) -> "Rule | None":
        return keep_number(cls, value)


NO_METADATA: Mapping[str, str] = MappingProxyType({})


def check_name(name: str) -> None:
    """Refuse names that are empty, over 64 bytes, or would write control codes to a terminal or a log.

    Raises:
        ValueError: saying which.
    """
    if not name.isprintable():  # a surrogate is not, which UTF-8 could not encode
        raise ValueError(f"a name holds printable characters only, not {name!r}")
    size = len(name) if name.isascii() else len(name.encode())
    if not 1 <= size <= MAX_NAME:
        raise ValueError(f"a name has 1 to {MAX_NAME} bytes of UTF-8, not {size}")


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """What this node has had to do with another member; seconds, as of the moment it was asked for.

    Attributes:
        age: since this node learned what it holds of the member now: its state, address or metadata.
        heard: since a datagram of this run of it last arrived here; None for never.
        round_trip: of the last ping of this node that it answered; None for none yet.
        unanswered: pings of this node in a row that it has not answered, one under way included.
    """

    age: float
    heard: float | None = None
    round_trip: float | None = None
    unanswered: int = 0


@attrs.frozen
class Member:
    """One member as this node saw it at one moment; immutable.

    Attributes:
        name: unique in the cluster.
        address: where it listens.
        epoch: which run of the process; larger is later. 0 where the protocol has none.
        incarnation: how often this run has corrected what was said of it.
        state: `State.ALIVE`, `SUSPECT`, `DEAD` or `LEFT`.
        metadata: what the application says of itself; read-only; empty once DEAD or LEFT.
    """

    name: str
    address: Address
    epoch: int = 0
    incarnation: int = 0
    state: State = State.ALIVE
    metadata: Mapping[str, str] = attrs.field(default=NO_METADATA, hash=False)
