"""Claims about members, and the order that decides which of two wins.

A claim gives the address and state of one run of one member. Claims form a lattice: the larger in `precedence` wins, so
merging is idempotent, commutative and associative, and nodes that have seen the same claims agree, in whatever order
these came (docs/protocol.md, section 1).
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from swim_core.address import unpack
from swim_core.errors import ConfigError, PayloadTooLarge
from swim_core.member import MAX_NAME, NO_METADATA, Member, Rule, State, check_name
from swim_core.plain_data import FrozenDict

__all__ = [
    "MAX_METADATA",
    "Claim",
    "Verdict",
    "as_member",
    "check_claim",
    "decode_metadata",
    "pack_metadata",
    "precedence",
]

U32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
U64 = Annotated[int, Meta(ge=0)]  # MessagePack itself ends at 2^64 - 1
Millis = Annotated[int, Meta(ge=0, le=2**48 - 1)]  # as much as an epoch has room for: until the year 10889
MAX_MILLIS = 2**48 - 1
MAX_INCARNATION = 2**32 - 1
EPOCH_BITS = 16  # random bits of an epoch, below wall-clock milliseconds
MAX_METADATA = 512  # the format's bound; Config.max_metadata may be lower


class Verdict(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A verdict of SUSPECT, DEAD or LEFT: the member that gave it, its rule, and its cluster time (ms)."""

    accuser: U64
    rule: Rule
    time: Millis


class Claim(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """What is claimed of one member, exactly as datagrams carry it.

    Attributes:
        name: 1 to 64 bytes of printable UTF-8; unique in a cluster, byte by byte.
        epoch: which run of the process: wall-clock ms at start x 2^16 + 16 random bits.
        address: packed, see `swim_core.address.pack`.
        incarnation: raised by the member itself only, 0 at the start of an epoch.
        state: as claimed.
        metadata: a packed map of strings while ALIVE or SUSPECT, else None.
        verdict: with SUSPECT, DEAD and LEFT, else None. It is not part of the order: the first one received is kept.
    """

    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
    epoch: U64
    address: Annotated[bytes, Meta(min_length=6, max_length=18)]
    incarnation: U32
    state: State
    metadata: Annotated[bytes, Meta(max_length=MAX_METADATA)] | None = None
    verdict: Verdict | None = None


def precedence(claim: Claim) -> tuple[int, int, bytes, int]:
    """The order among claims about one name: the larger wins; equal ones say the same.

    A newer run beats an older one, whatever that claimed. Within one run only the member itself raises the incarnation,
    so it can answer any accusation (SWIM, section 4.2) and move to another address; within an incarnation the worse
    news wins. The address comes between the two, so that two processes with one name and epoch (a cloned machine) never
    flap: the one at the lower address gives way.
    """
    return (claim.epoch, claim.incarnation, claim.address, claim.state)


_metadata_decoder = msgspec.msgpack.Decoder(dict[str, str])


def decode_metadata(packed: bytes | None) -> Mapping[str, str]:
    """The metadata of a claim, read-only; empty for None.

    Raises:
        ValueError: if the bytes aren't a map of strings.
    """
    return FrozenDict(_metadata_decoder.decode(packed)) if packed else NO_METADATA


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


def as_member(claim: Claim) -> Member:
    """The member of a claim, for the application."""
    return Member(
        claim.name,
        unpack(claim.address),
        claim.epoch,
        claim.incarnation,
        claim.state,
        decode_metadata(claim.metadata),
    )


def pack_metadata(metadata: Mapping[str, str], limit: int) -> bytes:
    """The packed form of metadata.

    Raises:
        ConfigError: if it isn't a map of strings.
        PayloadTooLarge: if it takes more than ``limit`` bytes.
    """
    if not isinstance(metadata, Mapping):
        raise ConfigError(f"metadata must map strings to strings, not be {metadata!r}")
    if not all(isinstance(k, str) and isinstance(v, str) for k, v in metadata.items()):
        raise ConfigError("metadata must map strings to strings")
    try:
        packed = msgspec.msgpack.encode({k: metadata[k] for k in sorted(metadata)}) if metadata else b""
    except UnicodeEncodeError:
        raise ConfigError("metadata must be text that UTF-8 can encode") from None
    if len(packed) > limit:
        raise PayloadTooLarge(f"metadata takes {len(packed)} bytes packed; at most {limit} (max_metadata)")
    return packed
