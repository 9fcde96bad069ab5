"""`swim plan`: what to expect, and warnings."""

import time
from collections.abc import Iterator

import attrs

from swim_core.planner import Plan, Span, plan

from ..choices import Preset
from ..records import to_json
from ..tools.writing import write
from .configs import read_config
from .units import say_duration, say_hops, say_share

__all__ = ["run_plan"]

GIVEN = "as given"


def run_plan(
    *,
    members: int,
    rtt: float,
    loss: float,
    preset: Preset | None,
    probe_interval: float | None,
    stall_tolerance: float | None,
    overrides: list[str],
    against: list[str],
    json: bool,
) -> int:
    """Print what to expect, and what changes with the settings of ``against``.

    Raises:
        ConfigError: if an option can't be used.
        OSError: if standard output can't take it.
    """
    config = read_config(preset, probe_interval, stall_tolerance, overrides)
    expected = plan(config, members=members, rtt=rtt, loss=loss)
    other = None
    if against:
        fields = {text.partition("=")[0].strip() for text in against}
        interval = None if "probe_interval" in fields else probe_interval
        tolerance = None if "stall_tolerance" in fields else stall_tolerance
        there = read_config(preset, interval, tolerance, [*overrides, *against], option="--against")
        other = plan(there, members=members, rtt=rtt, loss=loss)
    if json:
        record = {"t": time.time(), "event": "plan", "members": members, **attrs.asdict(expected)}
        write(to_json(record if other is None else record | {"against": attrs.asdict(other)}))
        return 0
    title = (
        f"{members} members, round trips of up to {say_duration(rtt)}, {loss:.0%} lost;"
        f" probe_interval {say_duration(config.probe_interval)}, stall_tolerance {say_duration(config.stall_tolerance)}"
    )
    told = _told(expected) if other is None else _compared(expected, other, " ".join(against))
    write("\n".join([title, "", *told]))
    return 0


def _told(expected: Plan) -> Iterator[str]:
    rows = list(_rows(expected))
    width = max(len(label) for label, _ in rows)
    yield from (f"{label:<{width}}  {value}" for label, value in rows)
    yield ""
    yield from _verdict(expected)


def _compared(expected: Plan, other: Plan, name: str) -> Iterator[str]:
    """What differs, each as given and with the other settings."""
    if expected == other:
        yield "Nothing differs."
        return
    width = max(len(GIVEN), len(name))
    for (label, value), (_, others) in zip(_rows(expected), _rows(other), strict=True):
        if value != others:
            yield from (label, f"  {GIVEN:<{width}}  {value}", f"  {name:<{width}}  {others}")
    for which, one in ((GIVEN, expected), (name, other)):
        yield from ("", f"{which}:", *_verdict(one))


def _verdict(expected: Plan) -> list[str]:
    return [f"! {warning}" for warning in expected.warnings] or ["These settings suit this cluster."]


def _rows(expected: Plan) -> Iterator[tuple[str, str]]:
    yield "all know that a process was killed after", _span(expected.killed)
    yield "all know that a process hangs after", _span(expected.hung)
    yield "all know that a host is lost after", _span(expected.host_lost)
    yield "an update or broadcast reaches all after", f"{say_duration(expected.update)}, {say_hops(expected.hops)}"
    yield "members that its flood misses (repair follows)", say_share(expected.missed)
    yield (
        "each member sends, when nothing happens",
        f"{expected.datagrams:g} datagram{'s' * (expected.datagrams != 1)}, {expected.bytes:.0f} bytes per second",
    )
    yield "each member's table takes", f"{expected.memory / 1000:.0f} kB"


def _span(span: Span) -> str:
    return f"{say_duration(span.median)}, {say_duration(span.worst)} at worst"
