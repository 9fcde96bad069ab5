"""What the seal of a datagram says about its sender, on a node that has keys."""

from collections import deque
from typing import Protocol

from swim_core.address import Address
from swim_core.counters import DropReason
from swim_core.digests import blake2b
from swim_core.errors import ConfigError
from swim_core.events import Event
from swim_core.keys import Keys
from swim_core.native.cluster_clock import ClusterClock
from swim_core.native.sealing.ring import KeyRing
from swim_core.native.sealing.seal import Opened, Sealer
from swim_core.native.settings import Settings
from swim_core.native.table.member_table import MemberTable
from swim_core.native.wire.datagram import Envelope, Flags
from swim_core.native.wire.messages import Ask, Ping
from swim_core.native.wire.traits import UNBOUND

from .sender import Sender
from .unsealed import UnsealedNotices

__all__ = ["SealCheck", "make_sealer"]

SEALED_OVERHEAD = 180  # bytes besides a broadcast's payload, at most; `Settings` allows for 150 without a seal


def make_sealer(keys: Keys, config: Settings, clock: ClusterClock, entropy: bytes) -> Sealer:
    """Make what seals for a node with these keys.

    Raises:
        ConfigError: if the keys can't be used, or if the settings don't allow sealing.
    """
    most = config.max_datagram - SEALED_OVERHEAD
    if config.max_broadcast > most:
        raise ConfigError(
            f"max_broadcast ({config.max_broadcast}) must fit in a sealed datagram:"
            f" at most max_datagram - {SEALED_OVERHEAD} ({most})"
        )
    for name in ("forget_after", "forget_left_after"):
        least = 2 * config.first_contact
        if getattr(config, name) < least:
            raise ConfigError(
                f"{name} ({getattr(config, name):g} s) must be at least twice first_contact ({least:g} s) with keys:"
                " what was recorded of a forgotten member would be believed"
            )
    counter = int.from_bytes(blake2b(entropy, digest_size=4, person=b"seal counter").digest(), "big") >> 1
    most_runs = config.max_members + config.max_tombstones
    ring = KeyRing(keys, config.cluster)
    return Sealer(ring, clock, counter=counter, most_runs=most_runs, plain=config.plain == "accept")


class Asks(Protocol):
    """Knows whether this node wants to be let in somewhere."""

    @property
    def asks(self) -> bool:
        """Whether this node asks anybody to let it in."""


class SealCheck:
    """Checks seals.

    Args:
        sealer: of this node.
        clock: the cluster time.
        table: of members.
        joiner: says whether this node may not know that time yet.
        tolerance: by how many seconds the clock of an unknown run may differ from it.
        events: for the application.
    """

    def __init__(
        self,
        sealer: Sealer,
        clock: ClusterClock,
        table: MemberTable,
        joiner: Asks,
        *,
        tolerance: float,
        events: deque[Event],
    ) -> None:
        self._sealer = sealer
        self._clock = clock
        self._table = table
        self._joiner = joiner
        self._tolerance = tolerance * 1000.0
        self._notices = UnsealedNotices(events)

    def dropped(self, reason: DropReason, data: bytes, source: Address | tuple[str, int], now: float) -> None:
        """Report a datagram that was not opened."""
        self._notices.note(reason, data, source, now)

    def judge(
        self, sender: Sender, seal: Opened | None, envelope: Envelope, size: int, now: float
    ) -> DropReason | None:
        """Note in ``sender`` what the seal says; returns the reason if the datagram is dropped."""
        if seal is None:
            if sender.flags & Flags.OPENS and sender.entry is not None:
                self._sealer.runs.opens(sender.short_id)
            return None
        sender.seal = seal
        message = envelope.message
        kind = type(message)
        if (kind is Ask) is not (seal.sender == 0):
            return DropReason.UNDECODABLE  # members don't ask as tools do, and tools do nothing else
        if not seal.bound:
            if kind not in UNBOUND:
                return DropReason.UNDECODABLE
            sender.direct = isinstance(message, Ping) and message.target == self._sealer.own
        if kind is not Ask and not seal.known:
            self._meet(sender, seal, size, now)
        return None

    def _meet(self, sender: Sender, seal: Opened, size: int, now: float) -> None:
        """Judge the first datagram opened of a run: is the run speaking now, or was this recorded?"""
        if abs(seal.time - self._clock.read(now)) <= self._tolerance and self._settled:
            self._sealer.take(seal)
        else:
            sender.familiar = False
            sender.budget = size if sender.budget is None else sender.budget

    @property
    def _settled(self) -> bool:
        """Whether this node knows the time of its cluster: it has members, has taken over that time, or joins
        nobody."""
        return self._table.live_count > 1 or self._clock.moved > 0 or not self._joiner.asks
