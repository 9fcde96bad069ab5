"""What the components of a node share: settings, clocks, the table, the outbox."""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

import msgspec

from swim_core.counters import Counters
from swim_core.events import Event
from swim_core.shared.rate_limit import RateLimit
from swim_core.shared.timers import Timers
from swim_core.shared.unguessable import Unguessable

from .cluster_clock import ClusterClock
from .coming import Coming
from .datagrams.outbox import Outbox
from .datagrams.path_sizes import PathSizes
from .hub import Hub
from .round_trips import RoundTrips
from .settings import Settings
from .table.member_table import MemberTable
from .wire.datagram import Codec
from .wire.hashing import Hashes

if TYPE_CHECKING:  # only with keys
    from .sealing.seal import Sealer

__all__ = ["NodeContext"]


class NodeContext(msgspec.Struct, frozen=True, kw_only=True):
    """Handed to every component instead of ten arguments; it has no behaviour of its own."""

    config: Settings
    timers: Timers
    clock: ClusterClock
    hashes: Hashes
    codec: Codec
    sealer: "Sealer | None"
    """Seals and opens datagrams, as in the codec; None without keys."""
    table: MemberTable
    outbox: Outbox
    paths: PathSizes
    rtt: RoundTrips
    random: Random
    """For times and choices. Numbers that others must not foresee come from `unguessable`."""
    unguessable: Unguessable
    counters: Counters
    emit: Callable[[Event], None]
    """Raises an event for the application."""
    coming: Coming
    hub: Hub
    """Takes the reports of the parts."""
    trouble: RateLimit
    """Datagrams about members that may be gone. Each part keeps to a rate of its own, and spends of this one as well;
    what can wait is sent while some is left."""
