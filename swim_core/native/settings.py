"""The settings of the native protocol: values, bounds, reasons, and the durations that follow from them."""

from typing import Any, Literal, TypedDict, get_args

import attrs

from swim_core.duration import Duration, seconds
from swim_core.errors import ConfigError

__all__ = ["AnswerTools", "ConfigFields", "Plain", "Settings"]

AnswerTools = Literal["loopback", "anyone", "nobody"]
"""Whose questions a node answers, of those that come from tools that are no members."""
Plain = Literal["never", "accept"]
"""What a node with keys does about datagrams that are not sealed."""


def _setting(
    default: float | int,
    low: float,
    high: float,
    unit: str,
    *,
    whole: bool = False,
) -> Any:
    """A numeric field with its bounds; `low` and `high` are allowed values."""

    def check(_: "Settings", attribute: "attrs.Attribute[Any]", value: object) -> None:
        kinds = (int,) if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
            number = "a whole number" if whole else "a number"
            raise ConfigError(f"{attribute.name} must be {number} from {low:g} to {high:g} ({unit}), not {value!r}")

    return attrs.field(
        default=default,
        validator=check,
        converter=None if whole else seconds,
        metadata={"unit": unit, "low": low, "high": high},
    )


def _check_switch(_: "Settings", attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigError(f"{attribute.name} must be True or False, not {value!r}")


def _check_label(_: "Settings", attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, str) or not value.isprintable() or len(value.encode()) > 64:
        raise ConfigError(f"{attribute.name} must be at most 64 bytes of printable text, not {value!r}")


def _check_answer_tools(_: "Settings", attribute: "attrs.Attribute[Any]", value: object) -> None:
    if value not in get_args(AnswerTools):
        raise ConfigError(f"{attribute.name} must be one of {', '.join(get_args(AnswerTools))}, not {value!r}")


def _check_plain(_: "Settings", attribute: "attrs.Attribute[Any]", value: object) -> None:
    if value not in get_args(Plain):
        raise ConfigError(f"{attribute.name} must be one of {', '.join(get_args(Plain))}, not {value!r}")


class ConfigFields(TypedDict, total=False):
    """The fields of `Config`, for overrides by keyword; a test keeps the two alike."""

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


@attrs.frozen(kw_only=True)
class Settings:
    """Settings of the native protocol. Immutable; every value is checked when it is made.

    Durations are seconds or `timedelta`, and are held as seconds. The defaults are `Config.lan()`.
    ``probe_interval``, ``rings`` and ``stall_tolerance`` should agree in a cluster: a difference is
    reported (`SettingsDiffer`) and each node goes on with its own.

    Attributes:
        cluster: label, at most 64 bytes; datagrams that carry another one are dropped, so that two
            clusters on one network never merge by accident. No protection: it is not secret.
        answer_tools: "loopback", "anyone" or "nobody": who may ask this node for its members, the reasons of
            its verdicts, and to broadcast a text on their behalf, without being a member (``swim members``,
            ``why``, ``watch``, ``broadcast``). "loopback" is whoever has a process on this host. With "anyone",
            whoever reaches the port learns names, addresses and metadata, and speaks in this node's name; no
            answer is longer than its question, so that even forged questions make this node flood nobody.
        plain: "never" or "accept": with keys, what to do about datagrams that are not sealed. "accept" is for the time
            in which a cluster goes from plain to sealed, or back: whoever opens sealed datagrams is sent such, all
            others plain ones. While it lasts nothing is protected. Without keys it means nothing.
        first_contact: seconds, 5 to 600: with keys, how far the clock in a datagram of a run that was never heard may
            be off the cluster's before it is taken for a recording, and its sender is asked.
        probe_interval: T, seconds, 0.02 to 60. Each member is seen to live once in it; a crash shows after
            half of it on average.
        stall_tolerance: S, seconds, 0.1 to 3,600, at least 2 T. A process that stalls for up to S on a
            host and path that work is not declared dead; a hung one is found after about S + T/2.
        host_tolerance: S_host, seconds, 0 to 3,600: a member whose kernel, too, answers no connection for so
            long is declared dead before S is over; needs `tripwires`. A whole machine that stands still
            longer (a live migration) is then taken for dead. 0, or anything not below S, is off; a connection
            counts as unanswered after 1.5 s, so that less makes no difference.
        tripwires: keep an idle TCP connection to each of K ring successors, on the same port number as the
            datagrams, so that a crash is known within milliseconds; off, a node neither listens on TCP nor connects.
        verdict_margin: the least value of m, seconds, 0.05 to 60: what is waited beyond S, so that an
            answer given at the last moment still arrives.
        rings: K, 1 to 8. Each update is sent to the successors on K rings; what a flood misses is
            (loss + unknown dead)^K, so with 4 and a loss of 1 % one in 10^8. Each costs a datagram a member.
        helpers: v, 1 to 16: members asked to confirm a silence. Two must agree, so with three one may be slow or gone.
        max_helpers: 1 to 64: the most that are asked in place of ones that don't answer; bounds
            what one watch costs when much of a cluster is gone.
        max_datagram: bytes of UDP payload, 800 to 65,000: the largest claim must fit. 1,200 passes every
            path unfragmented.
        max_broadcast: bytes, 1 to 60,000; must fit in a datagram (`max_datagram` - 150). Small by default, since each
            broadcast travels K times for each member.
        max_metadata: bytes, packed, 0 to 512: metadata rides on every claim.
        max_members: 2 to 1,000,000: a hostile or broken member can't fill the memory with names. Each takes some 2 kB.
        max_tombstones: 16 to 1,000,000: the same for dead and departed ones; the oldest go first.
        max_new_members_per_second: 1 to 1,000,000: a flood of invented names leaves time to work.
        max_pending: 16 to 1,000,000 items waiting to be told: beyond it new broadcasts are refused or
            dropped first, since claims can't be.
        max_corrections_per_second: 1 to 100,000: answers to datagrams that show a wrong belief, in
            all; forged ones can't make this node flood anybody.
        max_held_back_per_second: 1 to 100,000: old deaths sent to their subjects to answer; bounds the
            burst when a partition heals.
        max_retained_broadcasts: 1 to 1,000,000 items kept for repair, over all origins.
        max_retained_bytes: 1,024 to 1 GiB of payload kept for repair: ditto, in memory.
        max_waiting_broadcasts: 1 to 65,536 broadcasts of origins not yet known that wait to be delivered: invented
            origins can't fill the memory.
        retain_broadcasts: seconds, 1 to 3,600, for which a broadcast is kept for repair, and told of by pings: what a
            member missed in a stall or a short partition is still to be had, and old news is not.
        forget_after: seconds, 1 to 31 days: how long a dead member is remembered and retried. After a day whoever
            comes back asks its seeds.
        forget_left_after: seconds, 1 to 31 days: the same for one that left; it isn't retried.
        join_backoff_max: seconds, 1 to 86,400: the longest wait between two attempts at a seed (grows
            with the cluster beyond 64 members, so that a missing seed isn't stormed).
        flap_damping: seconds, 0 to 3,600. From its third recovery within a minute on, a member's deaths, suspicions
            and recoveries raise no events until it has been dead or alive for so long; if it is dead then, `MemberDied`
            says so. Members and what they tell each other are not touched. 0 is off: every death is told at once.
        event_buffer: 1 to 1,000,000 events that a subscription holds before it drops the oldest: a reader that hangs
            costs no more memory than that.
    """

    cluster: str = attrs.field(default="", validator=_check_label)
    answer_tools: AnswerTools = attrs.field(default="loopback", validator=_check_answer_tools)
    plain: Plain = attrs.field(default="never", validator=_check_plain)
    first_contact: float = _setting(30.0, 5, 600, "seconds")
    probe_interval: float = _setting(1.0, 0.02, 60, "seconds")
    stall_tolerance: float = _setting(5.0, 0.1, 3_600, "seconds")
    host_tolerance: float = _setting(3.0, 0, 3_600, "seconds")
    tripwires: bool = attrs.field(default=True, validator=_check_switch, metadata={"unit": "true or false"})
    verdict_margin: float = _setting(0.25, 0.05, 60, "seconds")
    rings: int = _setting(4, 1, 8, "rings", whole=True)
    helpers: int = _setting(3, 1, 16, "members", whole=True)
    max_helpers: int = _setting(24, 1, 64, "members", whole=True)
    max_datagram: int = _setting(1_200, 800, 65_000, "bytes", whole=True)
    max_broadcast: int = _setting(256, 1, 60_000, "bytes", whole=True)
    max_metadata: int = _setting(512, 0, 512, "bytes", whole=True)
    max_members: int = _setting(16_384, 2, 1_000_000, "members", whole=True)
    max_tombstones: int = _setting(4_096, 16, 1_000_000, "members", whole=True)
    max_new_members_per_second: int = _setting(1_024, 1, 1_000_000, "members/s", whole=True)
    max_pending: int = _setting(4_096, 16, 1_000_000, "items", whole=True)
    max_corrections_per_second: int = _setting(50, 1, 100_000, "datagrams/s", whole=True)
    max_held_back_per_second: int = _setting(50, 1, 100_000, "datagrams/s", whole=True)
    max_retained_broadcasts: int = _setting(1_024, 1, 1_000_000, "broadcasts", whole=True)
    max_retained_bytes: int = _setting(1 << 20, 1_024, 1 << 30, "bytes", whole=True)
    max_waiting_broadcasts: int = _setting(64, 1, 65_536, "broadcasts", whole=True)
    retain_broadcasts: float = _setting(60.0, 1, 3_600, "seconds")
    forget_after: float = _setting(86_400.0, 1, 31 * 86_400, "seconds")
    forget_left_after: float = _setting(600.0, 1, 31 * 86_400, "seconds")
    join_backoff_max: float = _setting(60.0, 1, 86_400, "seconds")
    flap_damping: float = _setting(0.0, 0, 3_600, "seconds")
    event_buffer: int = _setting(1_024, 1, 1_000_000, "events", whole=True)

    def __attrs_post_init__(self) -> None:
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
        """Seconds: the shortest wait for an ack, 0.2 T (0.2 s on a LAN: detection.md, "Timeouts")."""
        return 0.2 * self.probe_interval

    @property
    def max_probe_timeout(self) -> float:
        """Seconds: the longest wait for an ack, 0.5 T; also the wait before there are 8 samples."""
        return 0.5 * self.probe_interval

    @property
    def reping_interval(self) -> float:
        """Seconds between two pings of a watched member: 0.5 T, at most 0.5 s."""
        return min(0.5 * self.probe_interval, 0.5)

    @property
    def remind_broadcasts(self) -> float:
        """Seconds for which pings and acks tell that a broadcast was made: as long as it is kept, and longer than a cut
        may last that leaves no other trace (its members are dead or isolated after 3 S).
        """
        return max(self.retain_broadcasts, 4 * self.stall_tolerance)

    @property
    def pause_threshold(self) -> float:
        """Seconds by which a tick may be late before it counts as a pause of this process: 0.25 T, at least 0.25 s."""
        return max(0.25 * self.probe_interval, 0.25)
