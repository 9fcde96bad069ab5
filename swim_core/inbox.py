"""The first look at a datagram: is it one of this protocol, of this cluster, and from whom?"""

from struct import error as StructError

from .address import Address, reachable
from .common import Common
from .errors import ConfigError
from .events import DropReason
from .sender import Sender
from .wire import HEADER_SIZE, MAX_DATAGRAM, VERSION, Ask, Envelope, Flags, decode, unpack_header

__all__ = ["Inbox"]


class Inbox:
    """Opens datagrams; what is not valid is dropped whole and counted by cause."""

    def __init__(self, common: Common) -> None:
        self._label = common.hashes.label
        self._membership = common.membership
        self._counters = common.counters

    def open(self, data: bytes, source: Address | tuple[str, int]) -> tuple[Sender, Envelope] | None:
        """The sender and the contents, or None if the datagram was dropped."""
        self._counters.received(len(data))
        opened = self._open(data, source)
        if isinstance(opened, DropReason):
            self._counters.drop(opened)
            return None
        self._counters.accepted(type(opened[1].message), len(data))
        return opened

    def _open(self, data: bytes, source: Address | tuple[str, int]) -> tuple[Sender, Envelope] | DropReason:
        if len(data) > MAX_DATAGRAM:
            return DropReason.TOO_LARGE
        try:
            version, flags, label = unpack_header(data)
        except StructError:
            return DropReason.BAD_HEADER
        if version != VERSION or len(data) == HEADER_SIZE:
            return DropReason.BAD_HEADER
        if label != self._label:
            return DropReason.OTHER_CLUSTER
        if flags & Flags.SEALED:
            return DropReason.SEALED
        try:
            address = reachable(source)
        except ConfigError:
            return DropReason.BAD_SOURCE
        try:
            envelope = decode(data)
        except (ValueError, RecursionError):
            return DropReason.UNDECODABLE
        tool = type(envelope.message) is Ask  # no member, whatever short id it states
        entry = None if tool else self._membership.by_id(envelope.sender)
        return Sender(address, envelope.sender, entry, flags, len(data)), envelope
