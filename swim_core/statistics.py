"""A snapshot of a node's counters and sizes.

A counter is named twice, in `Counters` and in `Statistics`; a gauge once here and once where the node fills it in. Its
meaning is written once, beside its field in `Statistics`, for the documentation and for metrics alike (`MEANINGS`).
"""

from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, Literal

import msgspec
from msgspec.structs import force_setattr

from .counters import DropReason, Histogram
from .member import Rule, State
from .plain_data import FrozenDict, plain

__all__ = ["MEANINGS", "Histogram", "Meaning", "Statistics"]


class Meaning(msgspec.Struct, frozen=True):
    """The meaning of a field of `Statistics`.

    Attributes:
        help: its description.
        kind: a counter never falls while the node runs; a gauge describes the moment.
        unit: "seconds", "milliseconds", "bytes", or "" for a plain count or a boolean.
        label: what the keys are, if the value is a mapping: "message", "reason" and so on.
        keys: all possible keys, where they are known.
    """

    help: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str = ""
    label: str = ""
    keys: tuple[Enum, ...] = ()


EMPTY: Mapping[Any, int] = FrozenDict()


def _counter(help: str, *, unit: str = "", label: str = "", keys: tuple[Enum, ...] = ()) -> Meaning:
    return Meaning(help, "counter", unit, label, keys)


def _gauge(help: str, *, unit: str = "", label: str = "", keys: tuple[Enum, ...] = ()) -> Meaning:
    return Meaning(help, "gauge", unit, label, keys)


def _histogram(help: str, *, unit: str) -> Meaning:
    return Meaning(help, "histogram", unit)


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """Counters since the node was made, and current sizes. Immutable; numbers without a unit are plain counts."""

    datagrams_received: Annotated[int, _counter("Datagrams received, including those dropped")] = 0
    bytes_received: Annotated[
        int, _counter("UDP payload received, including that of dropped datagrams", unit="bytes")
    ] = 0
    datagrams_sent: Annotated[int, _counter("Datagrams sent, except those that the system refused to send")] = 0
    bytes_sent: Annotated[
        int, _counter("UDP payload sent, except that of datagrams that the system refused to send", unit="bytes")
    ] = 0
    datagrams_unsent: Annotated[
        Mapping[str, int],
        _counter(
            "Datagrams that the system refused to send, by error: EPERM means a firewall, EAGAIN and ENOBUFS"
            " full queues",
            label="errno",
        ),
    ] = EMPTY
    datagrams_overflowed: Annotated[
        int,
        _counter("Datagrams that the system dropped because the receive buffer was full (Linux; always 0 elsewhere)"),
    ] = 0
    datagrams_newer: Annotated[
        int, _counter("Datagrams with fields, lists or messages of a newer release, which were ignored")
    ] = 0
    messages_received: Annotated[
        Mapping[str, int],
        _counter(
            "Valid datagrams received, by kind of message (ping, ack and so on; gossip if there is none)",
            label="message",
        ),
    ] = EMPTY
    message_bytes_received: Annotated[
        Mapping[str, int],
        _counter("UDP payload of valid datagrams received, by kind of message", unit="bytes", label="message"),
    ] = EMPTY
    messages_sent: Annotated[
        Mapping[str, int],
        _counter(
            "Datagrams made, including those that the system refused to send, by kind of message", label="message"
        ),
    ] = EMPTY
    message_bytes_sent: Annotated[
        Mapping[str, int],
        _counter(
            "UDP payload made, including what the system refused to send, by kind of message",
            unit="bytes",
            label="message",
        ),
    ] = EMPTY
    dropped: Annotated[
        Mapping[DropReason, int],
        _counter("Datagrams, claims and broadcasts dropped, by reason", label="reason", keys=tuple(DropReason)),
    ] = EMPTY
    members: Annotated[
        Mapping[State, int],
        _gauge("Members known at the moment, including this node, by state", label="state", keys=tuple(State)),
    ] = EMPTY
    verdicts: Annotated[
        Mapping[Rule, int], _counter("DEAD verdicts given by this node, by rule", label="rule", keys=tuple(Rule))
    ] = EMPTY
    deaths: Annotated[
        Mapping[Rule, int],
        _counter(
            "Deaths of members that this node came to know, by rule, whoever gave the verdict",
            label="rule",
            keys=tuple(Rule),
        ),
    ] = EMPTY
    refutations: Annotated[int, _counter("Times that this node refuted a claim about itself with a higher one")] = 0
    probes_failed: Annotated[int, _counter("Probes that were not answered in time")] = 0
    pauses: Annotated[int, _counter("Times that this node noticed a pause of its own")] = 0
    paused_seconds: Annotated[float, _counter("Total length of the pauses of this node", unit="seconds")] = 0.0
    deaf: Annotated[bool, _gauge("Whether this node hears nobody at the moment")] = False
    isolated: Annotated[bool, _gauge("Whether this node has heard nobody for the stall tolerance")] = False
    superseded: Annotated[bool, _gauge("Whether another process owns the name of this node")] = False
    seen_elsewhere: Annotated[bool, _gauge("Whether others see this node at another address than it advertises")] = (
        False
    )
    sealed: Annotated[bool, _gauge("Whether this node has keys, and seals what it says")] = False
    key: Annotated[
        Mapping[str, int],
        _gauge("Ids of the keys that this node holds: 1 for the one that it prefers, 0 for the others", label="id"),
    ] = EMPTY
    members_plain: Annotated[int, _gauge("Live members last heard in plain text, though this node has keys")] = 0
    members_other_key: Annotated[int, _gauge("Live members that prefer another key than this node")] = 0
    runs_known: Annotated[int, _gauge("Runs of members of which sealed datagrams were opened, and are remembered")] = 0
    seeds: Annotated[int, _gauge("Addresses that this node was told to join, except its own")] = 0
    seeds_unanswered: Annotated[
        int, _gauge("Seeds asked more than once that have not answered and are not live members")
    ] = 0
    narrow_paths: Annotated[
        int, _gauge("Members that large datagrams did not reach, so that smaller ones are sent")
    ] = 0
    rumours: Annotated[int, _gauge("Members that others have told of and that have not answered yet")] = 0
    watches: Annotated[int, _gauge("Members that this node is watching because it or others suspect them")] = 0
    tripwires: Annotated[int, _gauge("Tripwires of this node that are connected")] = 0
    tripwires_missing: Annotated[int, _gauge("Tripwires of this node that should be connected and are not")] = 0
    pending: Annotated[int, _gauge("Claims, numbers and broadcasts that wait to be sent")] = 0
    retained_broadcasts: Annotated[int, _gauge("Broadcasts kept for members that missed them")] = 0
    broadcasts_sent: Annotated[int, _counter("Broadcasts made by this node")] = 0
    broadcasts_resent: Annotated[
        int, _counter("Broadcasts sent again to members that missed them, whatever their origin")
    ] = 0
    broadcasts_delivered: Annotated[int, _counter("Broadcasts of others delivered to the application")] = 0
    broadcasts_lost: Annotated[int, _counter("Broadcasts that this node missed and that no member had any longer")] = 0
    syncs: Annotated[int, _counter("Anti-entropy exchanges begun by this node")] = 0
    events_damped: Annotated[int, _counter("Events about flapping members that were not raised (flap_damping)")] = 0
    settings_differ: Annotated[
        int, _counter("Times that a node met in a join had different values for settings that should agree")
    ] = 0
    round_trips: Annotated[
        Histogram, _histogram("Round trips of probes, from ping to ack, since the start", unit="seconds")
    ] = Histogram()
    rtt_p50: Annotated[
        float | None, _gauge("Median of the last 256 round trips; none before the first", unit="seconds")
    ] = None
    rtt_p99: Annotated[
        float | None, _gauge("99th percentile of the last 256 round trips; none before the first", unit="seconds")
    ] = None
    cluster_time: Annotated[int, _gauge("The time that the members agree on, since 1970", unit="milliseconds")] = 0

    def __post_init__(self) -> None:
        for name in _COUNTS:
            force_setattr(self, name, FrozenDict(getattr(self, name)))

    def to_dict(self) -> dict[str, Any]:
        """All numbers as JSON knows them; reasons, rules, states and kinds of messages are words."""
        return {**plain(self)}


MEANINGS: Mapping[str, Meaning] = FrozenDict(
    {name: hint.__metadata__[0] for name, hint in Statistics.__annotations__.items()}
)
"""The meaning of each field of `Statistics`, by name."""
_COUNTS = tuple(name for name, meaning in MEANINGS.items() if meaning.label)


def _documented(name: str, meaning: Meaning) -> str:
    unit = f", in {meaning.unit}" if meaning.unit else ""
    return f"        {name}: {meaning.help}{unit}."


Statistics.__doc__ = f"{Statistics.__doc__ or ''}\n\n    Attributes:\n" + "\n".join(
    _documented(name, meaning) for name, meaning in MEANINGS.items()
)
