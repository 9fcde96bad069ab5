"""What a node counts while it runs, and the histogram of its round trips; `statistics` makes a snapshot of it."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from enum import Enum
from itertools import accumulate
from math import inf
from typing import Any

import msgspec

from .member import Rule

__all__ = ["BOUNDS", "Counters", "DropReason", "Histogram"]

BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of the buckets of round trips, in seconds: from loopback to the default stall tolerance."""


class Histogram(msgspec.Struct, frozen=True):
    """How many values were seen up to each of several bounds.

    Attributes:
        buckets: pairs of an upper bound and how many values were not above it; the last bound is infinite.
        sum: the sum of all values.
    """

    buckets: tuple[tuple[float, int], ...] = tuple((bound, 0) for bound in (*BOUNDS, inf))
    sum: float = 0.0

    @classmethod
    def of(cls, counts: list[int], total: float) -> "Histogram":
        """Make one from the counts between the ``BOUNDS``, and above the last."""
        return cls(tuple(zip((*BOUNDS, inf), accumulate(counts), strict=True)), total)

    @property
    def count(self) -> int:
        """How many values there are."""
        return self.buckets[-1][1]


class DropReason(Enum):
    """Why something that arrived was dropped; each is counted in ``statistics().dropped``."""

    __hash__ = object.__hash__  # not Enum's, which is Python code: most datagrams of a flood are dropped, and counted

    TOO_LARGE = "too_large"
    """Larger than the format, or `max_received`, allows."""
    BAD_HEADER = "bad_header"
    """Too short, or of another format or version."""
    OTHER_CLUSTER = "other_cluster"
    """Carries another cluster's label."""
    SEALED = "sealed"
    """Sealed, and this node has no key."""
    NOT_SEALED = "not_sealed"
    """In plain text, and this node has keys."""
    UNKNOWN_KEY = "unknown_key"
    """Sealed with a key that this node does not hold, or for another cluster label."""
    UNOPENED = "unopened"
    """Sealed as with a key of this node, and forged, damaged, or meant for another run."""
    REPLAYED = "replayed"
    """A copy of a sealed datagram that was opened before, or came 256 datagrams late."""
    STALE = "stale"
    """Well sealed, but nothing shows that it isn't a recording: its sender is asked."""
    UNDECODABLE = "undecodable"
    """Not a valid datagram of this protocol."""
    BAD_SOURCE = "bad_source"
    """The source is not an address that could be answered."""
    OWN = "own"
    """This node's own datagram came back."""
    SUPERSEDED = "superseded"
    """Another process owns this node's name, so this node answers nothing."""
    ELSEWHERE = "elsewhere"
    """A JOIN that claims another address than the one it came from."""
    LOOPBACK = "loopback"
    """A claim of a loopback address, which would lead to this host instead of the sender's."""
    FAR_FUTURE_EPOCH = "far_future_epoch"
    """A claim of a run more than a day in the future."""
    UNKNOWN_KIND = "unknown_kind"
    """A vote or a question of a kind that only a newer release knows."""
    UNKNOWN_GONE = "unknown_gone"
    """A claim that an unknown member is DEAD or LEFT."""
    MEMBERS_FULL = "members_full"
    """The table already has ``max_members`` entries."""
    GROWTH_LIMIT = "growth_limit"
    """More than ``max_new_members_per_second`` new names."""
    RUMOUR = "rumour"
    """A member that others told of and that didn't answer, or one of more than are looked into."""
    TIME_JUMP = "time_jump"
    """A cluster time far ahead that not enough senders have confirmed yet."""
    BAD_COOKIE = "bad_cookie"
    """A JOIN with a cookie that this node did not give to that address."""
    UNREQUESTED = "unrequested"
    """An answer to a question that this node did not ask."""
    STRANGER = "stranger"
    """A message for the application or a request to a helper whose sender is not a live member."""
    RATE_LIMITED = "rate_limited"
    """Answering it would exceed a limit on corrections, held-back claims or answers."""
    NOT_ALLOWED = "not_allowed"
    """A tool's question from an address that ``answer_tools`` doesn't allow."""
    FORGED_EVIDENCE = "forged_evidence"
    """Kernel evidence that quotes nothing that was sent there."""
    DUPLICATE = "duplicate"
    """A broadcast that was seen before, or is too old to tell."""
    TOO_LARGE_PAYLOAD = "too_large_payload"
    """A broadcast or message larger than this node's own limit."""
    UNKNOWN_ORIGIN = "unknown_origin"
    """A broadcast whose origin did not become known in time."""
    FAR_NUMBER = "far_number"
    """A broadcast's number far above all that are known of its origin, told by one other member only."""
    PENDING_FULL = "pending_full"
    """Too much is waiting to be sent already."""


class Tally(msgspec.Struct):
    """Datagrams of one kind."""

    count: int = 0
    size: int = 0
    """Their bytes in total."""

    def add(self, size: int) -> None:
        """Count one more datagram."""
        self.count += 1
        self.size += size


Tallies = defaultdict[type | str, Tally]
"""By the class or the name of the message; NoneType if there is no message."""


class Counters(msgspec.Struct):
    """A node's running counts; its components share them, and ``statistics()`` reads them.

    Each is a field of `Statistics` with the same name, or tallies from which several of those follow.
    """

    received: Tally = msgspec.field(default_factory=Tally)
    """All datagrams, including those dropped."""
    accepted: Tallies = msgspec.field(default_factory=lambda: defaultdict(Tally))
    sent: Tallies = msgspec.field(default_factory=lambda: defaultdict(Tally))
    unsent: Counter[str] = msgspec.field(default_factory=Counter)
    unsent_bytes: int = 0
    datagrams_overflowed: int = 0
    dropped: Counter[DropReason] = msgspec.field(default_factory=Counter)
    verdicts: Counter[Rule] = msgspec.field(default_factory=Counter)
    deaths: Counter[Rule] = msgspec.field(default_factory=Counter)
    refutations: int = 0
    probes_failed: int = 0
    pauses: int = 0
    paused_seconds: float = 0.0
    broadcasts_sent: int = 0
    broadcasts_resent: int = 0
    broadcasts_delivered: int = 0
    broadcasts_lost: int = 0
    syncs: int = 0
    events_damped: int = 0
    settings_differ: int = 0

    def drop(self, reason: DropReason) -> None:
        """Count one thing that was dropped."""
        self.dropped[reason] += 1

    def lose(self, unsent: Mapping[str, int], unsent_bytes: int, overflowed: int) -> None:
        """Count what the system refused to send or dropped unread."""
        self.unsent.update(unsent)
        self.unsent_bytes += unsent_bytes
        self.datagrams_overflowed += overflowed

    def snapshot(self) -> dict[str, Any]:
        """The current values of those fields of `Statistics` that are counted."""
        counted = msgspec.structs.asdict(self)
        received, accepted, sent = (counted.pop(name) for name in ("received", "accepted", "sent"))
        unsent, unsent_bytes = counted.pop("unsent"), counted.pop("unsent_bytes")
        return {name: _by_name(value) if isinstance(value, Counter) else value for name, value in counted.items()} | {
            "datagrams_received": received.count,
            "bytes_received": received.size,
            "messages_received": _by_name({kind: tally.count for kind, tally in accepted.items()}),
            "message_bytes_received": _by_name({kind: tally.size for kind, tally in accepted.items()}),
            "messages_sent": _by_name({kind: tally.count for kind, tally in sent.items()}),
            "message_bytes_sent": _by_name({kind: tally.size for kind, tally in sent.items()}),
            "datagrams_sent": sum(tally.count for tally in sent.values()) - sum(unsent.values()),
            "bytes_sent": sum(tally.size for tally in sent.values()) - unsent_bytes,
            "datagrams_unsent": unsent,
        }


def _by_name(counts: Mapping[Any, int]) -> dict[Any, int]:
    return {_name(key): count for key, count in counts.items()}


def _name(key: Enum | type | str) -> Enum | str:
    """Enumeration members and strings stay as they are; a message class becomes its name in snake case."""
    if isinstance(key, Enum | str):
        return key
    return "gossip" if key is type(None) else re.sub("(?<!^)([A-Z])", r"_\1", key.__name__).lower()
