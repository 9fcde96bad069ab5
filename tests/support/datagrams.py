"""Makes native datagrams by hand, and takes them apart."""

from collections.abc import Sequence

from msgspec import Raw

from swim_core.counters import DropReason
from swim_core.native.wire.datagram import HEADER, Codec, Envelope
from swim_core.native.wire.messages import Message

__all__ = ["flags_of", "opened", "pack_datagram"]


def pack_datagram(
    label: int,
    flags: int,
    sender: int,
    message: Message | Raw | None = None,
    claims: Sequence[Raw] = (),
    numbers: Sequence[Raw] = (),
    broadcasts: Sequence[Raw] = (),
) -> bytes:
    """A datagram of the cluster with that label hash; see `Codec.pack`."""
    return Codec(label).pack(flags, sender, message, claims, numbers, broadcasts)


def opened(data: bytes) -> Envelope:
    """The contents of a datagram, whatever its cluster.

    Raises:
        ValueError: if a node would drop it.
    """
    _, _, label = HEADER.unpack_from(data)
    found = Codec(label).open(data)
    if isinstance(found, DropReason):
        raise ValueError(f"a node drops this: {found.value}")
    return found[1]


def flags_of(data: bytes) -> int:
    """The flags in the header of a datagram."""
    flags: int = HEADER.unpack_from(data)[1]
    return flags
