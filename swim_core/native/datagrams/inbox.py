"""The first look at a datagram: is it one of this protocol, of this cluster, and from whom?"""

from typing import TYPE_CHECKING

from swim_core.address import Address, reachable
from swim_core.counters import Counters, DropReason
from swim_core.errors import ConfigError
from swim_core.native.table.member_table import MemberTable
from swim_core.native.wire.datagram import Codec, Envelope
from swim_core.native.wire.messages import Ask

from .sender import Sender

if TYPE_CHECKING:  # only with keys
    from .seal_check import SealCheck

__all__ = ["Inbox"]


class Inbox:
    """Opens datagrams; invalid ones are dropped whole and counted by cause."""

    def __init__(
        self, codec: Codec, table: MemberTable, counters: Counters, seals: "SealCheck | None" = None, *, largest: int
    ) -> None:
        self._codec = codec
        self._table = table
        self._counters = counters
        self._seals = seals
        self._largest = largest

    def open(self, data: bytes, source: Address | tuple[str, int], now: float) -> tuple[Sender, Envelope] | None:
        """The sender and the contents, or None if the datagram was dropped."""
        size = len(data)
        self._counters.received.add(size)
        if size > self._largest:
            return self._drop(DropReason.TOO_LARGE)  # unread: decoding 54 kB takes a millisecond
        opened = self._codec.open(data, now)
        if not isinstance(opened, tuple):
            if self._seals is not None:
                self._seals.dropped(opened, data, source, now)
            return self._drop(opened)
        flags, envelope, seal = opened
        tool = type(envelope.message) is Ask  # it isn't a member, whatever short id it states
        entry = None if tool else self._table.by_id(envelope.sender)
        if entry is not None and entry.address == source:  # so the source is an address in canonical form
            sender = Sender(
                entry.address, envelope.sender, entry, entry, flags, None if entry.live else size, size=size
            )
        else:
            try:
                address = reachable(source)
            except ConfigError:
                return self._drop(DropReason.BAD_SOURCE)
            proven = entry if entry is not None and entry.address == address else None
            known = proven is not None and proven.live
            sender = Sender(address, envelope.sender, entry, proven, flags, None if known else size, size=size)
        if seal is not None and seal.known and seal.bound:
            sender.seal = seal  # the usual case: from a run heard before, and for this run alone
        elif self._seals is not None:
            reason = self._seals.judge(sender, seal, envelope, size, now)
            if reason is not None:
                return self._drop(reason)
            if not sender.direct:
                envelope = Envelope(envelope.sender, envelope.message)
        self._counters.accepted[type(envelope.message)].add(size)
        return sender, envelope

    def _drop(self, reason: DropReason) -> tuple[Sender, Envelope] | None:
        self._counters.drop(reason)
        return None
