"""Members as applications see them: names, states, and the rules of verdicts."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, TypeVar

import msgspec

from .address import Address
from .plain_data import FrozenDict, Word, plain

__all__ = ["Contact", "Member", "Rule", "State"]

MAX_NAME = 64


class State(Word):
    """The state of a member, in order of precedence among claims with the same incarnation. Prints as a word."""

    ALIVE = 0
    SUSPECT = 1
    DEAD = 2
    LEFT = 3

    live: bool
    """Whether members in this state are live (ALIVE, SUSPECT): they count, are probed and receive everything."""

    def __init__(self, value: int) -> None:
        self.live = value < 2  # DEAD; an attribute rather than a property, since every claim is asked several times


E = TypeVar("E", bound=IntEnum)


def keep_number(kind: type[E], value: object) -> E | None:
    """For ``_missing_`` of an enumeration that travels: keeps a number that only a newer release has a name for.

    Its name becomes ``RULE_9``, for example. Numbers range from 0 to 255, so that no more than these are ever made.
    """
    if not isinstance(value, int) or not 0 <= value <= 255:
        return None
    made = int.__new__(kind, value)
    made._name_, made._value_ = f"{kind.__name__.upper()}_{value}", value
    kind._value2member_map_[value] = made  # once, so that it is one object as the others are
    return made


def known(value: IntEnum) -> bool:
    """Whether this release has a name for a value that another node sent."""
    return value.name in type(value).__members__


class Rule(Word):
    """Why a member was declared suspect, dead or gone (docs/protocol.md, sections 1, 4 and 7). Prints as a word."""

    SUSPICION = 0
    """No answer for half the stall tolerance; another member confirms it."""
    GONE = 1
    """The process ended without a goodbye: the kernel at its address refuses datagrams, here and at a helper."""
    SILENT = 2
    """No answer for the stall tolerance, here and at a quorum of helpers."""
    HOST_GONE = 3
    """The host is unreachable: its kernel doesn't answer either, for the shorter host tolerance."""
    LEFT = 4
    """It said goodbye."""
    RESTARTED = 5
    """A newer run of the same name replaced it."""
    ISOLATED = 6
    """This node heard nobody for three times the stall tolerance. It doesn't tell others."""
    REMOVED = 7
    """Somebody removed it after it had died (``swim remove``), so that nobody looks for it any longer."""

    @classmethod
    def _missing_(cls, value: object) -> "Rule | None":
        return keep_number(cls, value)


NO_METADATA: Mapping[str, str] = FrozenDict()


def check_name(name: str) -> None:
    """Refuse names that are empty, longer than 64 bytes, or could write control codes to a terminal or log.

    Raises:
        ValueError: if the name is refused; the message says why.
    """
    if not name.isprintable():  # a surrogate is not, which UTF-8 could not encode
        raise ValueError(f"a name holds printable characters only, not {name!r}")
    size = len(name) if name.isascii() else len(name.encode())
    if not 1 <= size <= MAX_NAME:
        raise ValueError(f"a name has 1 to {MAX_NAME} bytes of UTF-8, not {size}")


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """This node's own contact with another member. Durations are seconds, measured when this object was made.

    Attributes:
        age: time since this node learned the member's current state, address or metadata.
        heard: time since a datagram from its current run last arrived here; None for never.
        round_trip: how long this node's latest answered ping to it took; None for none yet.
        unanswered: how many pings in a row it has not answered, including one that is under way.
    """

    age: float
    heard: float | None = None
    round_trip: float | None = None
    unanswered: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON knows them."""
        return {**plain(self)}


class Member(msgspec.Struct, frozen=True):
    """One member as this node saw it at one moment; immutable.

    Attributes:
        name: unique in the cluster.
        address: where it listens.
        epoch: the run of the process; a later run has a larger one. 0 where the protocol has none.
        incarnation: how often this run has corrected claims about itself.
        state: `State.ALIVE`, `SUSPECT`, `DEAD` or `LEFT`.
        metadata: what its application says about itself; read-only, and empty once DEAD or LEFT.
    """

    name: str
    address: Address
    epoch: int = 0
    incarnation: int = 0
    state: State = State.ALIVE
    metadata: Mapping[str, str] = NO_METADATA

    def __hash__(self) -> int:
        return (self.name, self.address, self.epoch, self.incarnation, self.state).__hash__()  # a mapping has none

    def __str__(self) -> str:
        return f"{self.name} at {self.address} ({self.state})"

    def to_dict(self) -> dict[str, Any]:
        """The member as JSON knows it, under the keys that ``swim members --format json`` prints for it, too.

        ``name``, ``address`` ("host:port"), ``state`` (a word), ``epoch``, ``incarnation``, ``metadata``.
        """
        fields = plain(self)
        return {key: fields[key] for key in ("name", "address", "state", "epoch", "incarnation", "metadata")}
