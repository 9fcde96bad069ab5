"""The first look at a datagram: is it exactly one of this protocol, from a node that could be answered?"""

from collections.abc import Callable
from ipaddress import ip_address

import attrs

from swim_core.address import Address, reachable
from swim_core.counters import Counters, DropReason
from swim_core.errors import ConfigError

from .codec import DecodeError, Message, Status, Verb, decode, decode_announcement
from .outbox import MAX_DATAGRAM
from .peers import usable
from .settings import SmudgeSettings

__all__ = ["Inbox"]

Opened = tuple[Address, Message]


class Inbox:
    """Opens datagrams; invalid ones are dropped whole and counted by cause.

    Args:
        local: this node's own address.
        config: settings.
        counters: of what is dropped.
        knows: whether a node is in the table.
    """

    def __init__(
        self, local: Address, config: SmudgeSettings, counters: Counters, knows: Callable[[Address], bool]
    ) -> None:
        self._local = local
        self._ipv6 = ":" in local.host
        self._config = config
        self._counters = counters
        self._knows = knows

    def open(self, data: bytes, source: Address | tuple[str, int]) -> Opened | None:
        """The sender's identity and its message, or None if the datagram was dropped."""
        return self._counted(data, self._open(data, source))

    def open_announcement(self, data: bytes, source: Address | tuple[str, int]) -> Opened | None:
        """The sender's identity of a multicast datagram, or None if it was dropped."""
        return self._counted(data, self._open_announcement(data, source), "announcement")

    def _counted(self, data: bytes, opened: Opened | DropReason, kind: str = "") -> Opened | None:
        self._counters.received.add(len(data))
        if isinstance(opened, DropReason):
            self._counters.drop(opened)
            return None
        self._counters.accepted[kind or opened[1].verb.name.lower()].add(len(data))
        return opened

    def _open(self, data: bytes, source: Address | tuple[str, int]) -> Opened | DropReason:
        if len(data) > MAX_DATAGRAM:
            return DropReason.TOO_LARGE
        try:
            message = decode(data, ipv6=self._ipv6)
        except DecodeError:
            return DropReason.UNDECODABLE
        if message.verb is Verb.PINGREQ and not self._names_target(message):
            return DropReason.UNDECODABLE
        opened = self._identified(message, source)
        return opened if isinstance(opened, DropReason) else self._shortened(*opened)

    def _shortened(self, sender: Address, message: Message) -> Opened | DropReason:
        """The message without a broadcast that is too long, whose sender has another limit than the cluster.

        A member's ping is still answered, or the member would be suspected here; a stranger's datagram is dropped
        whole.
        """
        if message.broadcast is None or len(message.broadcast.payload) <= self._config.max_broadcast_bytes:
            return sender, message
        if not self._knows(sender):
            return DropReason.TOO_LARGE_PAYLOAD
        self._counters.drop(DropReason.TOO_LARGE_PAYLOAD)
        return sender, attrs.evolve(message, broadcast=None)

    def _open_announcement(self, data: bytes, source: Address | tuple[str, int]) -> Opened | DropReason:
        if len(data) > MAX_DATAGRAM:
            return DropReason.TOO_LARGE
        name = self._config.cluster_name.encode(errors="surrogateescape")
        if len(data) <= len(data[:1]) + (data[0] if data else 0):
            return DropReason.UNDECODABLE
        if data[1 : 1 + data[0]] != name:
            return DropReason.OTHER_CLUSTER
        try:
            _, message = decode_announcement(data, ipv6=self._ipv6)
        except DecodeError:
            return DropReason.UNDECODABLE
        return self._identified(message, source)

    def _names_target(self, message: Message) -> bool:
        """Whether a PINGREQ has a first record, and, if that names a target, one that can be pinged."""
        first = message.members[0] if message.members else None
        return first is not None and (first.status != Status.FORWARD_TO or usable(first.address, self._ipv6))

    def _identified(self, message: Message, source: Address | tuple[str, int]) -> Opened | DropReason:
        """A node's identity: the source address of its datagram, with the port on which it says that it listens."""
        try:
            sender = reachable((source[0], message.sender_port))
        except (ConfigError, TypeError, IndexError):
            return DropReason.BAD_SOURCE
        if not usable(sender, self._ipv6):
            return DropReason.BAD_SOURCE
        if sender == self._local:
            return DropReason.OWN
        allowed = self._config.allowed_sources
        if allowed and not any(ip_address(sender.host) in network for network in allowed):
            return DropReason.STRANGER
        return sender, message
