"""Who sent the datagram in hand, and what that entitles it to."""

import msgspec

from swim_core.address import Address
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
    """

    address: Address
    short_id: int
    entry: Entry | None
    proven: Entry | None
    flags: int
    budget: int | None

    @property
    def member(self) -> Entry | None:
        """The live member, if it is proven to be one; None for a stranger."""
        entry = self.proven
        return entry if entry is not None and entry.live else None
