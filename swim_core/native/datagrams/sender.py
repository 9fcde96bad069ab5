"""The sender of the datagram being handled, and what it is entitled to."""

from typing import TYPE_CHECKING

import msgspec

from swim_core.address import Address
from swim_core.native.table.entry import Entry

if TYPE_CHECKING:  # only with keys
    from swim_core.native.sealing.seal import Opened

__all__ = ["Sender"]


class Sender(msgspec.Struct):
    """The source of one datagram.

    Attributes:
        address: where it came from.
        short_id: as it states.
        entry: the member of that short id, live or gone; None if it is unknown.
        proven: `entry`, if the address is also the one that it claims; else None.
        flags: of the datagram.
        budget: bytes that may still be sent in answer, None for a live member. A stranger gets at most as much as it
            sent, so that reflection doesn't pay. `Outbox.reply` takes from it.
        seal: what the seal of its datagram said; None for a plain one.
        familiar: whether the datagram is not a recording, as far as a seal can tell; if it may be, only an answer
            counts.
        direct: whether the datagram was for this very run. If not, it may be an old one or another's, and proves
            neither life nor time.
        size: bytes of the datagram.
    """

    address: Address
    short_id: int
    entry: Entry | None
    proven: Entry | None
    flags: int
    budget: int | None
    seal: "Opened | None" = None
    familiar: bool = True
    direct: bool = True
    size: int = 0

    @property
    def member(self) -> Entry | None:
        """The live member that the sender is proven to be; None for a stranger."""
        entry = self.proven
        return entry if entry is not None and entry.live else None
