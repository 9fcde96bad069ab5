"""What to expect of a cluster, from formulas: how soon ends are known, how news spread, what it costs.

The formulas are those of docs/protocol.md, and tests hold them against the simulator. They speak of a cluster in good
order whose views agree; `swim simulate` shows the rest.
"""

from math import ceil, log

import attrs

from .errors import ConfigError
from .native.config import Config
from .native.detection.pairing import SPREAD

__all__ = ["Plan", "Span", "plan"]

PING, ACK = 42, 32  # bytes of UDP payload of a bare ping and its ack (docs/protocol.md, section 2)
BYTES_PER_MEMBER = 800  # of memory, as tests/bench/bench_core.py counts them
EVERYBODY = 12  # others up to which news go to all at once
TEARDOWN = 0.002  # seconds in which a kernel closes the connections of a small process that died
TOLERABLE_MISS = 1e-4


@attrs.frozen
class Span:
    """Seconds: of half of all cases, and of nearly all."""

    median: float
    worst: float


@attrs.frozen(kw_only=True)
class Plan:
    """What to expect; times are seconds until the last member knows.

    Attributes:
        killed: a process ends (``kill -9``), its host goes on.
        hung: a process stops for good without ending.
        host_lost: a host is gone, or cut off.
        hops: of an update or broadcast, until it has reached all.
        update: seconds that takes.
        missed: the share of members that a flood misses, which repair makes up for within seconds.
        datagrams: sent by each member per second while nothing happens.
        bytes: ditto, of UDP payload.
        memory: bytes that each member needs for the table.
        warnings: what doesn't suit, and what to do.
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
    """What to expect of a cluster.

    Args:
        config: its settings.
        members: how many.
        rtt: seconds; a round trip that 99 of 100 stay below.
        loss: the share of datagrams that are lost, below 1.

    Raises:
        ConfigError: if there are fewer than 2 members, or a number makes no sense.
    """
    if members < 2:
        raise ConfigError("a cluster has at least 2 members")
    if not 0 <= rtt < 60:
        raise ConfigError(f"a round trip takes 0 to 60 seconds, not {rtt:g}")
    if not 0 <= loss < 1:
        raise ConfigError(f"a loss is a share from 0 to below 1, not {loss:g}")
    interval = config.probe_interval
    hops = _hops(members, config.rings)
    spread = hops * rtt / 2
    margin = _margin(config, rtt)
    silence = config.stall_tolerance + margin
    asking = 2 * rtt + max(0.05, 2 * rtt)  # the accuser asks the member for the last time, and so do those it tells
    pings = (members + members % 2) / 2 / members / interval  # by each, a second
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
    """The next meeting of a member comes half an interval after its end, or a little more than one at worst.

    If it would have been the one to ping, the other waits for half of the probe timeout.
    """
    interval, grace = config.probe_interval, _probe_timeout(config, rtt) / 2
    return Span((interval + grace) / 2 + seconds, (1 + SPREAD) * interval + grace + seconds)


def _hops(members: int, rings: int) -> int:
    """What floods on K rings took in the simulator, or one more (K of 2 to 6, up to 1,000 members)."""
    if members - 1 <= EVERYBODY:
        return 1
    return members - 1 if rings == 1 else ceil(log(members) / log(rings) + 1.8)


def _probe_timeout(config: Config, rtt: float) -> float:
    return min(max(3 * rtt, config.min_probe_timeout), config.max_probe_timeout)


def _margin(config: Config, rtt: float) -> float:
    """m: what is waited beyond S."""
    return max(_probe_timeout(config, rtt) + max(2 * rtt, 0.05), config.verdict_margin)


def _killed(config: Config, rtt: float, spread: float) -> Span:
    """By a tripwire at once; else by two refusals, a re-ping apart, from the next probe on."""
    if config.tripwires:
        seconds = TEARDOWN + 2 * rtt + spread
        return Span(seconds, seconds + config.reping_interval / 10)
    return _after_probe(config, rtt, config.reping_interval + rtt + spread)


def _host_silence(config: Config, margin: float) -> float:
    """S_host + m where connections are tested; no shorter than S + m elsewhere."""
    if not config.tripwires or not 0 < config.host_tolerance < config.stall_tolerance:
        return config.stall_tolerance + margin
    return config.host_tolerance + margin


def _warnings(config: Config, members: int, rtt: float, loss: float) -> list[str]:
    found = []
    if 3 * rtt > config.max_probe_timeout:
        found.append(
            f"round trips of {rtt:g} s are long for probe_interval = {config.probe_interval:g} s: answers would come"
            f" after their time is up, and be asked for again; take at least {6 * rtt:.2g} s, or Config.wan()"
        )
    if members > config.max_members:
        found.append(f"max_members is {config.max_members}: members beyond it are refused; raise it everywhere")
    rings = config.rings
    if loss and loss**rings > TOLERABLE_MISS:
        wanted = min(8, ceil(log(TOLERABLE_MISS) / log(loss)))
        found.append(
            f"at a loss of {loss:.0%} floods on {rings} rings miss {loss**rings:.2%} of the members, whom repair"
            f" reaches seconds later; rings = {wanted} would miss {loss**wanted:.2%}"
        )
    if loss > 0.2:
        found.append(
            "with more than a fifth of all datagrams lost the promise not to bury who stalls rests on few answers:"
            " raise stall_tolerance"
        )
    if members > config.max_new_members_per_second:
        seconds = members / config.max_new_members_per_second
        found.append(
            f"a member learns at most {config.max_new_members_per_second} names a second"
            f" (max_new_members_per_second): forming takes at least {seconds:.0f} s"
        )
    if members == 2:
        found.append("two members can't ask a third: whoever is cut off holds the other for dead")
    if config.probe_interval < 0.2 and members > 1:
        wakes = 1.5 / config.probe_interval
        found.append(
            f"probe_interval = {config.probe_interval:g} s makes each member wake {wakes:.0f} times a second, and"
            " a scheduling hiccup look like silence; 0.5 s suits one machine"
        )
    return found
