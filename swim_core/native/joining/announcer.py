"""Discovery: announcing this node to a multicast group, and asking other announcers to let it in.

An announcement says only that somebody may be listening at the address that it came from. A forged one makes others ask
an address where nobody answers, and the bounds here say how often (docs/protocol.md, section 7).
"""

from math import isfinite

from swim_core.address import Address
from swim_core.counters import DropReason
from swim_core.discovery import Multicast
from swim_core.native.claims.local_member import LocalMember
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.inbox import Inbox
from swim_core.native.datagrams.sender import Sender
from swim_core.native.wire.datagram import encode_item
from swim_core.native.wire.messages import Announce
from swim_core.shared.timers import Timer

from .joiner import Joiner
from .requests import PADDED

__all__ = ["Announcer"]

SPREAD = 0.2  # seconds times n within which n members ask an announcer, each at a time of its own: one every 0.2 s
MAX_WAITING = 64  # addresses waiting to be asked, so that a flood of invented ones doesn't fill the memory
MANY = 64  # with more members each announces itself less often, so that the group's traffic stays the same


class Announcer:
    """Announces this node, and has the `Joiner` ask one announced address at a time.

    Each address is asked once per announcement, with at most as many bytes as that had, and only when this node's turn
    has come, after up to 0.2 s times the number of members. By then another member has usually asked, and the news has
    spread. So the members of one cluster together ask ten times a second on average, however many announcements there
    are.
    """

    def __init__(self, context: NodeContext, local: LocalMember, inbox: Inbox, joiner: Joiner) -> None:
        self._timers = context.timers
        self._table = context.table
        self._outbox = context.outbox
        self._random = context.random
        self._counters = context.counters
        self._local = local
        self._inbox = inbox
        self._joiner = joiner
        self._group: Address | None = None
        self._interval = 0.0
        self._next: Timer | None = None
        self._turn: Timer | None = None
        self._waiting: set[Address] = set()

    def start(self, multicast: Multicast, now: float) -> None:
        """Announce this node now and regularly; see `ProtocolNode.discover`."""
        self.stop()
        self._group = multicast.group_for(self._local.address)
        self._interval = multicast.interval
        self._announce(now)

    def stop(self) -> None:
        """Stop announcing, and ignore announcements."""
        self._group = None
        self._waiting.clear()
        for timer in (self._next, self._turn):
            if timer is not None:
                timer.cancel()
        self._next = self._turn = None

    def _announce(self, now: float) -> None:
        if self._group is None:
            return
        port = self._local.address.port
        padding = bytes(PADDED - len(encode_item(Announce(port))))
        self._outbox.send(Announce(port, padding), self._group, now)
        scale = max(1.0, self._table.live_count / MANY)
        wait = self._interval * scale * self._random.uniform(0.75, 1.25)
        if isfinite(wait):
            self._next = self._timers.at(now + wait, self._announce)

    def receive(self, data: bytes, source: Address | tuple[str, int], now: float) -> None:
        """Take a datagram sent to the group; see `ProtocolNode.feed_announcement`."""
        opened = self._inbox.open(data, source, now)
        if opened is None:
            return
        sender, envelope = opened
        reason = self._heed(sender, envelope.message, len(data), now)
        if reason is not None:
            self._counters.drop(reason)

    def _heed(self, sender: Sender, message: object, size: int, now: float) -> DropReason | None:
        """Have an announcer asked unless it is a live member; returns the reason if its announcement is dropped."""
        if sender.short_id == self._local.short_id:
            return DropReason.OWN
        if not isinstance(message, Announce) or size < PADDED:
            return DropReason.UNDECODABLE
        if self._group is None:
            return DropReason.UNREQUESTED
        if self._local.rival is not None:
            return DropReason.SUPERSEDED
        if sender.entry is not None and sender.entry.live:
            return None
        address = Address(sender.address.host, message.port)
        if address not in self._waiting and len(self._waiting) == MAX_WAITING:
            return DropReason.RATE_LIMITED
        self._waiting.add(address)
        self._plan(now)
        return None

    def _plan(self, now: float) -> None:
        if self._turn is None and self._waiting:
            wait = self._random.uniform(0.0, SPREAD * self._table.live_count)
            self._turn = self._timers.at(now + wait, self._ask)

    def _ask(self, now: float) -> None:
        """Ask one of those that are still unknown, at random, so that nobody can keep others out by being first."""
        self._turn = None
        self._waiting = {address for address in self._waiting if self._table.live_at(address) is None}
        if self._waiting:
            address = self._random.choice(sorted(self._waiting))
            self._waiting.discard(address)
            if self._local.rival is None:
                self._joiner.ask_once(address, now)
            self._plan(now)
