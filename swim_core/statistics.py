"""A snapshot of a node's counters, and the counters themselves."""

import re
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

import attrs
import msgspec

from .events import DropReason
from .member import Rule, State

__all__ = ["Counters", "Statistics"]


@attrs.frozen(kw_only=True)
class Statistics:
    """Counters since the node was made, and sizes of the moment. Immutable; numbers are plain counts unless said.

    Attributes:
        datagrams_received: every datagram fed, dropped ones included.
        bytes_received: UDP payload only.
        datagrams_sent: handed out by ``poll_datagram``.
        bytes_sent: UDP payload only.
        messages_received: by kind of message ("ping", "ack", ...; "gossip" for none).
        messages_sent: ditto.
        dropped: datagrams, claims and broadcasts dropped, by cause.
        members: by state, this node included.
        verdicts: DEAD verdicts given by this node, by rule.
        probes_failed: probes that nobody answered in time.
        pauses: times that this node noticed a pause of its own.
        paused_seconds: their total length.
        deaf: whether it hears nobody just now.
        isolated: whether it has heard nobody for the stall tolerance.
        superseded: whether another process owns its name.
        watches: members watched just now.
        pending: items waiting to be told.
        retained_broadcasts: kept for repair.
        broadcasts_delivered: handed to the application.
        broadcasts_lost: given up on.
        syncs: anti-entropy exchanges begun.
        settings_differ: times that a node met in a join ran with other settings that should agree.
        rtt_p50: seconds, over the last 256 round trips; None before the first.
        rtt_p99: ditto.
        cluster_time: ms.
    """

    datagrams_received: int = 0
    bytes_received: int = 0
    datagrams_sent: int = 0
    bytes_sent: int = 0
    messages_received: Mapping[str, int] = MappingProxyType({})
    messages_sent: Mapping[str, int] = MappingProxyType({})
    dropped: Mapping[DropReason, int] = MappingProxyType({})
    members: Mapping[State, int] = MappingProxyType({})
    verdicts: Mapping[Rule, int] = MappingProxyType({})
    probes_failed: int = 0
    pauses: int = 0
    paused_seconds: float = 0.0
    deaf: bool = False
    isolated: bool = False
    superseded: bool = False
    watches: int = 0
    pending: int = 0
    retained_broadcasts: int = 0
    broadcasts_delivered: int = 0
    broadcasts_lost: int = 0
    syncs: int = 0
    settings_differ: int = 0
    rtt_p50: float | None = None
    rtt_p99: float | None = None
    cluster_time: int = 0


def _by_name(messages: Counter[type | str]) -> Mapping[str, int]:
    """Counts by name, of message classes in snake case; a datagram without a message is "gossip"."""
    return MappingProxyType({_name(kind): count for kind, count in messages.items()})


def _name(kind: type | str) -> str:
    if isinstance(kind, str):
        return kind
    return "gossip" if kind is type(None) else re.sub("(?<!^)([A-Z])", r"_\1", kind.__name__).lower()


class Counters(msgspec.Struct):
    """What a node counts as it goes; shared by its components, read by ``statistics()``."""

    datagrams_received: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    messages_received: Counter[type | str] = msgspec.field(default_factory=Counter)
    messages_sent: Counter[type | str] = msgspec.field(default_factory=Counter)
    dropped: Counter[DropReason] = msgspec.field(default_factory=Counter)
    verdicts: Counter[Rule] = msgspec.field(default_factory=Counter)
    probes_failed: int = 0
    pauses: int = 0
    paused_seconds: float = 0.0
    broadcasts_delivered: int = 0
    broadcasts_lost: int = 0
    syncs: int = 0
    settings_differ: int = 0

    def snapshot(
        self,
        *,
        members: Mapping[State, int],
        deaf: bool,
        isolated: bool,
        superseded: bool,
        watches: int,
        pending: int,
        retained_broadcasts: int,
        rtt_p50: float | None,
        rtt_p99: float | None,
        cluster_time: int,
    ) -> Statistics:
        """The counters of this moment, with the sizes that the node knows."""
        return Statistics(
            datagrams_received=self.datagrams_received,
            bytes_received=self.bytes_received,
            datagrams_sent=self.messages_sent.total(),
            bytes_sent=self.bytes_sent,
            messages_received=_by_name(self.messages_received),
            messages_sent=_by_name(self.messages_sent),
            dropped=MappingProxyType(dict(self.dropped)),
            verdicts=MappingProxyType(dict(self.verdicts)),
            members=MappingProxyType(dict(members)),
            probes_failed=self.probes_failed,
            pauses=self.pauses,
            paused_seconds=self.paused_seconds,
            broadcasts_delivered=self.broadcasts_delivered,
            broadcasts_lost=self.broadcasts_lost,
            syncs=self.syncs,
            settings_differ=self.settings_differ,
            deaf=deaf,
            isolated=isolated,
            superseded=superseded,
            watches=watches,
            pending=pending,
            retained_broadcasts=retained_broadcasts,
            rtt_p50=rtt_p50,
            rtt_p99=rtt_p99,
            cluster_time=cluster_time,
        )

    def drop(self, reason: DropReason) -> None:
        """Count one thing dropped."""
        self.dropped[reason] += 1
