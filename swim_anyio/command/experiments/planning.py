"""`swim plan`: what to expect, and warnings."""

import time
from collections.abc import Iterator

from swim_core.planner import Plan, Span, plan

from ..choices import Preset
from ..records import to_json
from ..tools.writing import write
from .configs import read_config
from .units import say_duration, say_hops, say_share

__all__ = ["run_plan"]

import attrs


def run_plan(
    *,
    members: int,
    rtt: float,
    loss: float,
    preset: Preset | None,
    probe_interval: float | None,
    stall_tolerance: float | None,
    overrides: list[str],
    json: bool,
) -> int:
    """Print what to expect.

    Raises:
        ConfigError: if an option can't be used.
        OSError: if standard output can't take it.
    """
    config = read_config(preset, probe_interval, stall_tolerance, overrides)
    expected = plan(config, members=members, rtt=rtt, loss=loss)
    if json:
        write(to_json({"t": time.time(), "event": "plan", "members": members, **attrs.asdict(expected)}))
        return 0
    title = (
        f"{members} members, round trips of up to {say_duration(rtt)}, {loss:.0%} lost;"
        f" probe_interval {say_duration(config.probe_interval)}, stall_tolerance {say_duration(config.stall_tolerance)}"
    )
    rows = list(_rows(expected))
    width = max(len(label) for label, _ in rows)
    lines = [title, "", *(f"{label:<{width}}  {value}" for label, value in rows)]
    warnings = [f"! {warning}" for warning in expected.warnings]
    lines += ["", *(warnings or ["These settings suit this cluster."])]
    write("\n".join(lines))
    return 0


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
