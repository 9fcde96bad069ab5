"""Members, the claims about them, and the order that decides which of two claims wins.

A claim says of one run of one member where it is and how it fares. Claims form a lattice: the larger
in `precedence` wins, so merging is idempotent, commutative and associative, and nodes that have seen
the same claims agree in whatever order they came (docs/protocol.md, section 1).
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Annotated

import attrs
import msgspec
from msgspec import Meta

from .address import Address, unpack

__all__ = ["Claim", "Contact", "Member", "Rule", "State", "Verdict", "check_claim", "decode_metadata", "precedence"]

U32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
U64 = Annotated[int, Meta(ge=0)]  # MessagePack itself ends at 2^64 - 1
Millis = Annotated[int, Meta(ge=0, le=2**48 - 1)]  # what an epoch has room for: until the year 10889
MAX_MILLIS = 2**48 - 1
MAX_INCARNATION = 2**32 - 1
EPOCH_BITS = 16  # of an epoch, random; above them stand wall-clock milliseconds
EPOCH_STEP = 1 << EPOCH_BITS

MAX_NAME = 64
MAX_METADATA = 512  # the format's bound; Config.max_metadata may be lower


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


class Verdict(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """Who gave a SUSPECT, DEAD or LEFT, by which rule, and when in cluster time (ms)."""

    accuser: U64
    rule: Rule
    time: Millis


class Claim(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """What is said of one member; exactly what travels in datagrams.

    Attributes:
        name: 1 to 64 bytes of printable UTF-8; unique in a cluster, byte by byte.
        epoch: which run of the process: wall-clock ms at start x 2^16 + 16 random bits.
        address: packed, see `swim_core.address.pack`.
        incarnation: raised by the member itself only, 0 at the start of an epoch.
        state: as claimed.
        metadata: a packed map of strings while ALIVE or SUSPECT, else None.
        verdict: with SUSPECT, DEAD and LEFT, else None; outside the order, the first received stays.
    """

    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
    epoch: U64
    address: Annotated[bytes, Meta(min_length=6, max_length=18)]
    incarnation: U32
    state: State
    metadata: Annotated[bytes, Meta(max_length=MAX_METADATA)] | None = None
    verdict: Verdict | None = None


def precedence(claim: Claim) -> tuple[int, bytes, int, int]:
    """The order among claims about one name: the larger wins, equal ones say the same.

    A newer run beats an older one, whatever that claimed; in one run only the member itself raises
    the incarnation, so it can answer any accusation (SWIM, section 4.2); within an incarnation the worse
    news wins. The address stands between, so that two processes with one name never flap.
    """
    return (claim.epoch, claim.address, claim.incarnation, claim.state)


_EMPTY: Mapping[str, str] = MappingProxyType({})
_metadata_decoder = msgspec.msgpack.Decoder(dict[str, str])


def decode_metadata(packed: bytes | None) -> Mapping[str, str]:
    """The metadata of a claim, read-only; empty for None.

    Raises:
        ValueError: if the bytes are no map of strings.
    """
    return MappingProxyType(_metadata_decoder.decode(packed)) if packed else _EMPTY


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


def check_claim(claim: Claim) -> None:
    """Check what the types of `Claim` cannot say, for a claim that came in a datagram.

    Raises:
        ValueError: if the name, the address or the metadata is not well formed, or metadata and
            verdict do not fit the state.
    """
    check_name(claim.name)
    unpack(claim.address)
    if (claim.metadata is None) is claim.state.live or (claim.verdict is None) is not (claim.state is State.ALIVE):
        raise ValueError("metadata or verdict does not fit the state")
    if claim.metadata:
        decode_metadata(claim.metadata)


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
    metadata: Mapping[str, str] = attrs.field(default=_EMPTY, hash=False)
