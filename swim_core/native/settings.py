"""The settings of the native protocol: values, bounds, reasons, and the durations that follow from them."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypedDict, get_args

import msgspec
from msgspec.structs import force_setattr

from swim_core.duration import Duration, seconds
from swim_core.errors import ConfigError

from .wire.hashing import Hashes

__all__ = ["FIELDS", "AnswerTools", "ConfigFields", "Field", "Plain", "Settings"]

AnswerTools = Literal["holders", "loopback", "anyone", "nobody"]
"""Which tools a node answers: those with a key, on its own host, any, or none. Tools ask without being members."""
Plain = Literal["never", "accept"]
"""What a node with keys does with datagrams that are not sealed."""


class Bounds(msgspec.Struct, frozen=True):
    """The values that a number may have, `low` and `high` among them."""

    low: float
    high: float
    unit: str


class Field(msgspec.Struct, frozen=True):
    """A field of `Settings`, and what it may be.

    Attributes:
        name: of the field.
        kind: float, int, bool or str.
        bounds: of a number.
        words: all values that a text may have; empty for a label.
    """

    name: str
    kind: type
    bounds: Bounds | None = None
    words: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, hint: Any) -> "Field":
        """The field of that name, as its type hint declares it."""
        if hint in (str, bool):
            return cls(name, hint)
        if metadata := getattr(hint, "__metadata__", ()):
            return cls(name, hint.__origin__, metadata[0])
        return cls(name, str, words=get_args(hint))

    def check(self, value: object) -> None:
        """Refuse what the field can't be.

        Raises:
            ConfigError: which says what it may be.
        """
        wanted = self._wanted(value)
        if wanted:
            raise ConfigError(f"{self.name} must be {wanted}, not {value!r}")

    def _wanted(self, value: Any) -> str:
        """What it must be instead; empty if the value will do."""
        if self.bounds is not None:
            kinds = (int,) if self.kind is int else (int, float)
            low, high = self.bounds.low, self.bounds.high
            fits = not isinstance(value, bool) and isinstance(value, kinds) and low <= value <= high
            number = "a whole number" if self.kind is int else "a number"
            return "" if fits else f"{number} from {low:g} to {high:g} ({self.bounds.unit})"
        if self.kind is bool:
            return "" if isinstance(value, bool) else "True or False"
        if self.words:
            return "" if value in self.words else f"one of {', '.join(self.words)}"
        fits = isinstance(value, str) and value.isprintable() and len(value.encode()) <= 64
        return "" if fits else "at most 64 bytes of printable text"


class ConfigFields(TypedDict, total=False):
    """The fields of `Config`, for overrides by keyword; a test keeps the two in agreement."""

    cluster: str
    answer_tools: AnswerTools
    plain: Plain
    first_contact: Duration
    probe_interval: Duration
    stall_tolerance: Duration
    host_tolerance: Duration
    tripwires: bool
    verdict_margin: Duration
    rings: int
    helpers: int
    max_helpers: int
    max_datagram: int
    max_received: int
    max_broadcast: int
    max_metadata: int
    max_members: int
    max_tombstones: int
    max_new_members_per_second: int
    max_pending: int
    max_corrections_per_second: int
    max_held_back_per_second: int
    max_retained_broadcasts: int
    max_retained_bytes: int
    max_waiting_broadcasts: int
    retain_broadcasts: Duration
    forget_after: Duration
    forget_left_after: Duration
    join_backoff_max: Duration
    flap_damping: Duration
    event_buffer: int


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the native protocol. Immutable; every value is checked when the object is made.

    Durations are given as seconds or `timedelta` and stored as seconds. The defaults are those of `Config.lan()`.
    ``probe_interval``, ``rings`` and ``stall_tolerance`` should agree in a cluster: a difference is reported
    (`SettingsDiffer`), and each node keeps its own.

    Attributes:
        cluster: label, at most 64 bytes. Datagrams with another label are dropped, so that two clusters on one network
            never merge by accident. The label offers no protection, since it isn't secret.
        answer_tools: "holders", "loopback", "anyone" or "nobody": which tools this node answers. A tool is not a member
            (``swim members``, ``why``, ``watch``, ``broadcast``, ``join``); it asks for members and for the reasons of
            verdicts, and can have this node broadcast a text or ask more seeds. With keys, only tools that have a key
            are answered: "holders" from everywhere, "loopback" on this host. Without keys both mean every process on
            this host, and "anyone" means that everybody who can reach the port learns names, addresses and metadata;
            to broadcast or to add seeds still takes a process on this host. "nobody" answers none. No answer is longer
            than its question, so not even forged questions make this node flood others.
        plain: "never" or "accept": what a node with keys does with datagrams that are not sealed. "accept" is for the
            time in which a cluster moves from plain to sealed datagrams, or back: members that open sealed datagrams
            are sent such, and all others plain ones. Nothing is protected during that time. Without keys it has no
            effect.
        first_contact: seconds, 5 to 600: with keys, how far the clock in a datagram from an unknown run may differ from
            the cluster's before the datagram counts as a possible recording and its sender is asked.
        probe_interval: T, seconds, 0.02 to 60. Each member is seen to be alive once per interval. Without tripwires a
            crash shows after half of it on average.
        stall_tolerance: S, seconds, 0.1 to 3,600, at least 2 T. A process that stalls for up to S is not declared dead
            while its host and the path to it work; one that hangs is found after about S + T/2.
        host_tolerance: S_host, seconds, 0 to 3,600. A member whose kernel answers no connection for this long either is
            declared dead before S is over; this needs `tripwires`. A whole machine that stands still for longer (a live
            migration) is then considered dead. 0, or a value not below S, turns this off. A connection counts as
            unanswered after 1.5 s, so smaller values make no difference.
        tripwires: keep an idle TCP connection to each of K ring successors, on the same port number as the datagrams,
            so that a crash is known within milliseconds once they stand, about a second after a join. If off, a node
            neither listens on TCP nor connects.
        verdict_margin: the least value of m, seconds, 0.05 to 60: how much longer than S a verdict waits, so that an
            answer given at the last moment still arrives.
        rings: K, 1 to 8. Each update is sent to the successors on K rings. A flood misses a share of (loss + unknown
            dead)^K, which is 1 in 100 million for K = 4 and a loss of 1 %. Each ring costs one datagram per member.
        helpers: v, 1 to 16: how many members are asked to confirm a silence. Two must agree, so with three one may be
            slow or gone.
        max_helpers: 1 to 64: how many members are asked at most when some of the first don't answer. It bounds the cost
            of a watch when much of a cluster is gone.
        max_datagram: bytes of UDP payload, 800 to 65,000. The largest claim must fit. 1,200 passes every path
            unfragmented.
        max_received: bytes of UDP payload, 800 to 65,507, and never less than `max_datagram`. Larger datagrams are
            dropped unread, since reading what they may hold takes a millisecond. 9,216 is what jumbo frames carry.
            Raise it where other members broadcast more than that at once.
        max_broadcast: bytes, 1 to 60,000; a broadcast must fit in a datagram (`max_datagram` - 150). Small by default,
            since each broadcast is sent K times by each member.
        max_metadata: bytes when packed, 0 to 512. Metadata is part of every claim.
        max_members: 2 to 1,000,000, so that a hostile or broken member can't fill the memory with names. Each takes
            some 0.8 kB.
        max_tombstones: 16 to 1,000,000: the same for members that are dead or have left; the oldest are dropped first.
        max_new_members_per_second: 1 to 1,000,000, so that a flood of invented names leaves time for other work.
        max_pending: 16 to 1,000,000 items waiting to be sent. Beyond it new broadcasts are refused or dropped, and
            never claims.
        max_corrections_per_second: 1 to 100,000 answers, in total, to datagrams that show a wrong belief, so that
            forged ones can't make this node flood anybody.
        max_held_back_per_second: 1 to 100,000 old deaths that are sent to their subjects for an answer; it bounds the
            burst when a partition heals.
        max_retained_broadcasts: 1 to 1,000,000 broadcasts kept for repair, of all origins together.
        max_retained_bytes: 1,024 to 1 GiB of payload kept for repair, of all origins together.
        max_waiting_broadcasts: 1 to 65,536 broadcasts from unknown origins that wait to be delivered, so that invented
            origins can't fill the memory.
        retain_broadcasts: seconds, 1 to 3,600, for which a broadcast is kept for repair and announced in pings, so that
            a member can catch up on what it missed in a stall or a short partition, but doesn't get old news.
        forget_after: seconds, 1 to 31 days, for which a dead member is remembered and retried. One that comes back
            later has to ask its seeds.
        forget_left_after: seconds, 1 to 31 days, for which a member that left is remembered; it isn't retried.
        join_backoff_max: seconds, 1 to 86,400: the longest wait between two attempts at a seed. It grows with the
            cluster beyond 64 members, so that a missing seed isn't stormed.
        flap_damping: seconds, 0 to 3,600. From its third recovery within a minute on, a member's deaths, suspicions
            and recoveries raise no events until its state has stayed the same for this long; if it is dead then,
            `MemberDied` says so. Views and what members tell each other are not affected. 0 turns it off, so that every
            death raises an event at once.
        event_buffer: 1 to 1,000,000 events that a subscription holds before it drops the oldest, so that a reader that
            hangs doesn't take more memory than that.
    """

    cluster: str = ""
    answer_tools: AnswerTools = "holders"
    plain: Plain = "never"
    first_contact: Annotated[float, Bounds(5, 600, "seconds")] = 30.0
    probe_interval: Annotated[float, Bounds(0.02, 60, "seconds")] = 1.0
    stall_tolerance: Annotated[float, Bounds(0.1, 3_600, "seconds")] = 5.0
    host_tolerance: Annotated[float, Bounds(0, 3_600, "seconds")] = 3.0
    tripwires: bool = True
    verdict_margin: Annotated[float, Bounds(0.05, 60, "seconds")] = 0.25
    rings: Annotated[int, Bounds(1, 8, "rings")] = 4
    helpers: Annotated[int, Bounds(1, 16, "members")] = 3
    max_helpers: Annotated[int, Bounds(1, 64, "members")] = 24
    max_datagram: Annotated[int, Bounds(800, 65_000, "bytes")] = 1_200
    max_received: Annotated[int, Bounds(800, 65_507, "bytes")] = 9_216
    max_broadcast: Annotated[int, Bounds(1, 60_000, "bytes")] = 256
    max_metadata: Annotated[int, Bounds(0, 512, "bytes")] = 512
    max_members: Annotated[int, Bounds(2, 1_000_000, "members")] = 16_384
    max_tombstones: Annotated[int, Bounds(16, 1_000_000, "members")] = 4_096
    max_new_members_per_second: Annotated[int, Bounds(1, 1_000_000, "members/s")] = 1_024
    max_pending: Annotated[int, Bounds(16, 1_000_000, "items")] = 4_096
    max_corrections_per_second: Annotated[int, Bounds(1, 100_000, "datagrams/s")] = 50
    max_held_back_per_second: Annotated[int, Bounds(1, 100_000, "datagrams/s")] = 50
    max_retained_broadcasts: Annotated[int, Bounds(1, 1_000_000, "broadcasts")] = 1_024
    max_retained_bytes: Annotated[int, Bounds(1_024, 1 << 30, "bytes")] = 1 << 20
    max_waiting_broadcasts: Annotated[int, Bounds(1, 65_536, "broadcasts")] = 64
    retain_broadcasts: Annotated[float, Bounds(1, 3_600, "seconds")] = 60.0
    forget_after: Annotated[float, Bounds(1, 31 * 86_400, "seconds")] = 86_400.0
    forget_left_after: Annotated[float, Bounds(1, 31 * 86_400, "seconds")] = 600.0
    join_backoff_max: Annotated[float, Bounds(1, 86_400, "seconds")] = 60.0
    flap_damping: Annotated[float, Bounds(0, 3_600, "seconds")] = 0.0
    event_buffer: Annotated[int, Bounds(1, 1_000_000, "events")] = 1_024

    def __post_init__(self) -> None:
        for name, field in FIELDS.items():
            value = getattr(self, name)
            if field.kind is float:
                value = seconds(value)
                force_setattr(self, name, value)
            field.check(value)
        if self.stall_tolerance < 2 * self.probe_interval:
            raise ConfigError(
                f"stall_tolerance ({self.stall_tolerance:g} s) must be at least two probe intervals"
                f" ({2 * self.probe_interval:g} s): raise it, or lower probe_interval"
            )
        if self.max_broadcast > self.max_datagram - 150:
            raise ConfigError(
                f"max_broadcast ({self.max_broadcast}) must fit in a datagram: at most max_datagram - 150"
                f" ({self.max_datagram - 150})"
            )
        if self.helpers > self.max_helpers:
            raise ConfigError(f"helpers ({self.helpers}) must not exceed max_helpers ({self.max_helpers})")

    @property
    def min_probe_timeout(self) -> float:
        """The shortest wait for an ack in seconds: 0.2 T (docs/protocol.md, section 3)."""
        return 0.2 * self.probe_interval

    @property
    def max_probe_timeout(self) -> float:
        """The longest wait for an ack in seconds, 0.5 T; also the wait before there are 8 samples."""
        return 0.5 * self.probe_interval

    @property
    def reping_interval(self) -> float:
        """Seconds between two pings of a watched member: 0.5 T, at most 0.5 s."""
        return min(0.5 * self.probe_interval, 0.5)

    @property
    def remind_broadcasts(self) -> float:
        """Seconds for which pings and acks announce that a broadcast was made: as long as it is kept, and longer than a
        cut may last that leaves no other trace (its members are dead or isolated after 3 S).
        """
        return max(self.retain_broadcasts, 4 * self.stall_tolerance)

    @property
    def pause_threshold(self) -> float:
        """How many seconds late a tick may be before it counts as a pause of this process: 0.25 T, at least 0.25 s."""
        return max(0.25 * self.probe_interval, 0.25)

    def hashes(self) -> Hashes:
        """The hashes of the cluster. Simulations may place members in another way."""
        return Hashes(self.cluster, self.rings)


FIELDS: Mapping[str, Field] = {name: Field.of(name, hint) for name, hint in Settings.__annotations__.items()}
"""What each field may be, by name."""
