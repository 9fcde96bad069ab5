"""The sender of the datagram in hand, and what it is entitled to."""

import msgspec

from swim_core.address import Address
from swim_core.native.sealing.seal import Opened
from swim_core.native.table.entry import Entry

__all__ = ["Sender"]


class Sender(msgspec.Struct):
    """The source of one datagram.

    Attributes:
        address: where it came from.
        short_id: as it states.
        entry: the member of that short id, live or gone; None if it is unknown.
        proven: the same if the address, too, is the one that it claims, else None.
        flags: of the datagram.
        budget: bytes that may still be sent in answer, None for a live member: a stranger gets no more than
            it sent, so that no reflection pays. `Outbox.reply` takes from it.
        seal: what the seal of its datagram told; None for a plain one.
        familiar: whether the datagram is no recording, as far as a seal tells: else only an answer counts.
        direct: whether it was for this run and no other. What was not shows no life and no time, as it may be an old
            one, or another's.
        size: bytes of its datagram.
    """

    address: Address
    short_id: int
    entry: Entry | None
    proven: Entry | None
    flags: int
    budget: int | None
    seal: Opened | None = None
    familiar: bool = True
    direct: bool = True
    size: int = 0

    @property
    def member(self) -> Entry | None:
        """The live member, if it is proven to be one; None for a stranger."""
        entry = self.proven
        return entry if entry is not None and entry.live else None
