"""Calculates what to expect of a cluster: how soon an end is known, how news spreads, and what it costs.

The formulas are those of docs/protocol.md, and tests compare them with the simulator. They describe a healthy cluster
whose views agree; `swim simulate` shows the rest.
"""

from math import ceil, log

import attrs

from .errors import ConfigError
from .native.config import Config
from .native.detection.pairing import SPREAD

__all__ = ["Plan", "Span", "plan"]

PING, ACK = 42, 32  # bytes of UDP payload of a bare ping and its ack (docs/protocol.md, section 2)
BYTES_PER_MEMBER = 800  # of memory, as tests/bench/bench_core.py counts them
EVERYBODY = 12  # others up to which news goes to all at once
TEARDOWN = 0.002  # seconds in which a kernel closes the connections of a small process that died
TOLERABLE_MISS = 1e-4


@attrs.frozen
class Span:
    """Durations in seconds.

    Attributes:
        median: half of all cases take no longer.
        worst: nearly all cases take no longer.
    """

    median: float
    worst: float


@attrs.frozen(kw_only=True)
class Plan:
    """What to expect. Durations are seconds until the last member knows.

    Attributes:
        killed: after a process ends (``kill -9``) while its host keeps running.
        hung: after a process hangs for good.
        host_lost: after a host is lost or cut off.
        hops: hops that an update or broadcast takes to reach everybody.
        update: seconds that these hops take.
        missed: the share of members that a flood misses; repair reaches them within seconds.
        datagrams: datagrams that each member sends per second while nothing happens.
        bytes: bytes of UDP payload that each member sends per second while nothing happens.
        memory: bytes that each member needs for its table.
        warnings: settings that don't suit the cluster, and what to do about them.
    """

    killed: Span
    hung: Span
    host_lost: Span
    hops: int
    update: float
    missed: float
    datagrams: float
    bytes: float
    memory: int
    warnings: tuple[str, ...]


def plan(config: Config, *, members: int, rtt: float = 0.001, loss: float = 0.0) -> Plan:
    """Calculate what to expect of a cluster.

    Args:
        config: its settings.
        members: the number of members.
        rtt: seconds that 99 of 100 round trips stay below.
        loss: the share of datagrams that are lost, from 0 to below 1.

    Raises:
        ConfigError: if there are fewer than 2 members, or ``rtt`` or ``loss`` is out of range.
    """
    if members < 2:
        raise ConfigError("a cluster has at least 2 members")
    if not 0 <= rtt < 60:
        raise ConfigError(f"a round trip takes 0 to 60 seconds, not {rtt:g}")
    if not 0 <= loss < 1:
        raise ConfigError(f"the loss is a share from 0 to below 1, not {loss:g}")
    interval = config.probe_interval
    hops = _hops(members, config.rings)
    spread = hops * rtt / 2
    margin = _margin(config, rtt)
    silence = config.stall_tolerance + margin
    asking = 2 * rtt + max(0.05, 2 * rtt)  # the accuser asks the member one last time, and so do those that it tells
    pings = (members + members % 2) / 2 / members / interval  # that each member sends per second
    return Plan(
        killed=_killed(config, rtt, spread),
        hung=_after_probe(config, rtt, silence + asking + spread),
        host_lost=_after_probe(config, rtt, min(silence, _host_silence(config, margin)) + asking + spread),
        hops=hops,
        update=spread,
        missed=loss ** min(config.rings, members - 1),
        datagrams=2 * pings,
        bytes=(PING + ACK) * pings,
        memory=members * BYTES_PER_MEMBER,
        warnings=tuple(_warnings(config, members, rtt, loss)),
    )


def _after_probe(config: Config, rtt: float, seconds: float) -> Span:
    """A member's next meeting comes half an interval after its end on average, and little more than one at worst.

    If it was its turn to ping, its partner first waits for half of the probe timeout.
    """
    interval, grace = config.probe_interval, _probe_timeout(config, rtt) / 2
    return Span((interval + grace) / 2 + seconds, (1 + SPREAD) * interval + grace + seconds)


def _hops(members: int, rings: int) -> int:
    """As many hops as floods on K rings took in the simulator, or one more (K of 2 to 6, up to 1,000 members)."""
    if members - 1 <= EVERYBODY:
        return 1
    return members - 1 if rings == 1 else ceil(log(members) / log(rings) + 1.8)


def _probe_timeout(config: Config, rtt: float) -> float:
    return min(max(3 * rtt, config.min_probe_timeout), config.max_probe_timeout)


def _margin(config: Config, rtt: float) -> float:
    """m: how much longer than S a verdict waits."""
    return max(_probe_timeout(config, rtt) + max(2 * rtt, 0.05), config.verdict_margin)


def _killed(config: Config, rtt: float, spread: float) -> Span:
    """A tripwire shows it at once; without one, it takes two refusals, one re-ping apart, from the next probe on."""
    if config.tripwires:
        seconds = TEARDOWN + 2 * rtt + spread
        return Span(seconds, seconds + config.reping_interval / 10)
    return _after_probe(config, rtt, config.reping_interval + rtt + spread)


def _host_silence(config: Config, margin: float) -> float:
    """S_host + m where connections are tested, otherwise S + m."""
    if not config.tripwires or not 0 < config.host_tolerance < config.stall_tolerance:
        return config.stall_tolerance + margin
    return config.host_tolerance + margin


def _warnings(config: Config, members: int, rtt: float, loss: float) -> list[str]:
    found = []
    if 3 * rtt > config.max_probe_timeout:
        found.append(
            f"round trips of {rtt:g} s are long for probe_interval = {config.probe_interval:g} s: answers would arrive"
            f" too late and be asked for again; use at least {6 * rtt:.2g} s, or the preset wan"
        )
    if members > config.max_members:
        found.append(f"max_members is {config.max_members}, and members beyond it are refused; raise it on all members")
    rings = config.rings
    if loss and loss**rings > TOLERABLE_MISS:
        wanted = min(8, ceil(log(TOLERABLE_MISS) / log(loss)))
        found.append(
            f"at a loss of {loss:.0%} floods on {rings} rings miss {loss**rings:.2%} of the members, which repair"
            f" reaches seconds later; rings = {wanted} would miss {loss**wanted:.2%}"
        )
    if loss > 0.2:
        found.append(
            "with more than a fifth of all datagrams lost, few answers protect a stalled member from being declared"
            " dead; raise stall_tolerance"
        )
    if members > config.max_new_members_per_second:
        seconds = members / config.max_new_members_per_second
        found.append(
            f"a member learns of at most {config.max_new_members_per_second} others per second"
            f" (max_new_members_per_second), so the cluster takes at least {seconds:.0f} s to form"
        )
    if members == 2:
        found.append("two members can't ask a third, so one that is cut off declares the other dead")
    if config.probe_interval < 0.2 and members > 1:
        wakes = 1.5 / config.probe_interval
        found.append(
            f"probe_interval = {config.probe_interval:g} s wakes each member {wakes:.0f} times per second and makes a"
            " scheduling hiccup look like silence; 0.5 s suits a single machine"
        )
    return found
