"""What the components of one node stand on: settings, clocks, the table, the way out."""

from collections.abc import Callable
from random import Random

import msgspec

from .config import Config
from .events import Event
from .native.cluster_clock import ClusterClock
from .native.datagrams.outbox import Outbox
from .native.round_trips import RoundTrips
from .native.table.member_table import MemberTable
from .native.wire.hashing import Hashes
from .shared.timers import Timers
from .statistics import Counters

__all__ = ["Common"]


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """Handed to every component that has behaviour, in place of ten arguments; it has none of its own.

    What only some need (the local claim, gossip, pings ..) is handed to those beside it.
    """

    config: Config
    timers: Timers
    clock: ClusterClock
    hashes: Hashes
    table: MemberTable
    outbox: Outbox
    rtt: RoundTrips
    random: Random
    counters: Counters
    emit: Callable[[Event], None]
    """Raises an event for the application."""
