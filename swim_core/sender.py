"""Who sent the datagram in hand, and what that entitles it to."""

from .address import Address
from .membership import Entry

__all__ = ["Sender"]


class Sender:
    """The source of one datagram.

    Attributes:
        address: where it came from.
        short_id: as it states.
        entry: the member of that short id, live or gone; None if it is unknown.
        proven: the same if the address, too, is the one that it claims, else None.
        flags: of the datagram.
        size: of the datagram, bytes.
    """

    __slots__ = ("address", "entry", "flags", "proven", "short_id", "size")

    def __init__(self, address: Address, short_id: int, entry: Entry | None, flags: int, size: int) -> None:
        self.address = address
        self.short_id = short_id
        self.entry = entry
        self.proven = entry if entry is not None and entry.address == address else None
        self.flags = flags
        self.size = size

    @property
    def member(self) -> Entry | None:
        """The live member, if it is proven to be one; None for a stranger."""
        entry = self.proven
        return entry if entry is not None and entry.live else None

    @property
    def limit(self) -> int | None:
        """The most bytes that an answer may have: a stranger gets no more than it sent (no reflection pays)."""
        return None if self.member is not None else self.size

    @property
    def reply_to(self) -> Entry | Address:
        """Where to answer; a proven member is told in passing what is claimed about it."""
        return self.proven or self.address
