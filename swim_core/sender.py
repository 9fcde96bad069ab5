"""Who sent the datagram in hand, and what that entitles it to."""

import attrs

from .address import Address
from .membership import Entry
from .wire import Flags

__all__ = ["Sender"]


@attrs.frozen
class Sender:
    """The source of one datagram.

    Attributes:
        address: where it came from.
        short_id: as it states.
        entry: the member of that short id, live or gone; None if it is unknown.
        flags: of the datagram.
        size: of the datagram, bytes.
    """

    address: Address
    short_id: int
    entry: Entry | None
    flags: Flags
    size: int

    @property
    def proven(self) -> Entry | None:
        """The member, live or gone, if short id and address match what it claims."""
        entry = self.entry
        return entry if entry is not None and entry.address == self.address else None

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
