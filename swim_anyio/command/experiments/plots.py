"""Pictures of the results: a dot for each run beside what was to be expected, and what an idle member sends."""

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from math import floor, log10
from pathlib import Path
from statistics import median
from typing import Any

import attrs

from swim_core import ConfigError, SwimError
from swim_core.planner import plan
from swim_core.simulation import Link
from swim_core.simulation.study import Experiment, Run, Setting, Summary, conduct

from .captions import say_setting
from .units import say_duration

__all__ = ["Draw", "drawer", "expected_times"]

Draw = Callable[[Setting, dict[Experiment, list[Run]]], None]
ROWS = {
    Experiment.KILL: "a process is killed",
    Experiment.HANG: "a process hangs",
    Experiment.HOST_LOSS: "a host is lost",
    Experiment.UPDATE: "a member is updated",
    Experiment.STALL: "one in eight stalls",
}
EARLIEST, LATEST = 0.001, 10.0  # seconds: every picture shows these, so that pictures can be compared
GOLDEN = 0.6180339887498949  # spreads the dots of a row so that neighbours don't hide each other
ROUND_TRIP = 6.64  # of two exponential delays the sum is below so many of their means in 99 of 100 cases
SIZES = (8, 16, 32, 64, 128)  # cluster sizes at which the load is measured, up to the setting's own


def drawer(path: Path) -> Draw:
    """A function that draws to that file. The same runs give the same .svg, byte for byte.

    Raises:
        SwimError: if matplotlib is not installed.
        ConfigError: if it can't draw files of that kind.
    """
    try:
        matplotlib, figures = import_module("matplotlib"), import_module("matplotlib.figure")
    except ImportError:
        raise SwimError('--plot needs matplotlib: pip install "swim-membership[plot]"') from None
    figure = figures.Figure(layout="constrained")
    kinds = figure.canvas.get_supported_filetypes()
    if path.suffix[1:].lower() not in kinds:
        raise ConfigError(f"--plot: {path} should end in .svg, .png or .pdf")

    def draw(setting: Setting, results: dict[Experiment, list[Run]]) -> None:
        rows = {experiment: results[experiment] for experiment in ROWS if experiment in results}
        panels: list[Callable[[Any], None]] = []
        if rows:
            panels.append(partial(_draw_times, setting=setting, rows=rows))
        if Experiment.IDLE in results:
            panels.append(partial(_draw_load, setting=setting))
        widths = [2.2] * bool(rows) + [1.0] * (Experiment.IDLE in results)
        figure.set_size_inches(3.4 * sum(widths), 1.7 + 0.62 * max(len(rows), 3))
        tripwires = "with" if setting.config.tripwires else "without"
        figure.suptitle(say_setting(setting).replace("; ", "\n") + f", {tripwires} tripwires", fontsize="medium")
        axes = figure.subplots(1, len(panels), squeeze=False, width_ratios=widths)[0]
        for panel, there in zip(panels, axes, strict=True):
            panel(there)
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "swim"}):
            figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)

    return draw


# ------------------------------------------------------------------ when all knew


def _draw_times(axes: Any, setting: Setting, rows: dict[Experiment, list[Run]]) -> None:
    """A row for each experiment, on one axis from milliseconds to seconds."""
    expected = expected_times(setting)
    lasts = {experiment: sorted(run.told[-1] for run in runs if run.told) for experiment, runs in rows.items()}
    for y, (experiment, times) in enumerate(lasts.items()):
        if experiment in expected:
            start, end = expected[experiment]
            axes.barh(y, end - start, left=start, height=0.84, color="C2", alpha=0.22, linewidth=0)
        _draw_runs(axes, y, times)
    axes.set(title="Until all members were told", xscale="log", ylim=(len(rows) - 0.5, -0.5))
    labels = [f"{ROWS[experiment]}\n{_tally(experiment, runs)}" for experiment, runs in rows.items()]
    axes.set_yticks(range(len(rows)), labels, fontsize="small")
    axes.tick_params(left=False)
    axes.spines[["left", "right", "top"]].set_visible(False)
    _set_scale(axes, [time for times in lasts.values() for time in times])
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    axes.plot([], [], "o", color="C0", alpha=0.5, markersize=4, label="a run")
    axes.plot([], [], "|", color="C3", markersize=10, markeredgewidth=2, label="median")
    axes.bar([1.0], [0.0], color="C2", alpha=0.22, label="what swim plan expects")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, frameon=False, fontsize="small")


def _draw_runs(axes: Any, y: int, lasts: Sequence[float]) -> None:
    """A dot for each run, at the time at which the last member was told, and their median."""
    if not lasts:
        return
    places = [y - 0.14 + 0.5 * (number * GOLDEN % 1.0) for number in range(len(lasts))]
    axes.plot(lasts, places, "o", color="C0", alpha=0.5, markersize=4, markeredgewidth=0)
    middle = median(lasts)
    axes.vlines(middle, y - 0.18, y + 0.4, color="C3", linewidth=2)
    axes.text(middle, y - 0.22, say_duration(middle), color="C3", fontsize="small", ha="center")


def _tally(experiment: Experiment, runs: Sequence[Run]) -> str:
    """How many runs there were, and what went wrong in them."""
    missed, false = sum(run.others - len(run.told) for run in runs), sum(run.false_deaths for run in runs)
    words = [f"{len(runs)} run{'s' * (len(runs) != 1)}"]
    if missed:
        words.append(f"{missed} never told")
    if false or experiment is Experiment.STALL:
        words.append(f"{false or 'nobody'} declared dead in error")
    return ", ".join(words)


def expected_times(setting: Setting) -> dict[Experiment, tuple[float, float]]:
    """From when until when `swim plan` expects the last member to know. No end of a stall is known before the
    tolerance, which is a promise to those that stall."""
    config = setting.config
    expected = plan(config, members=setting.members, rtt=_round_trip(setting.link), loss=setting.link.loss)
    tested = config.tripwires and config.host_tolerance > 0
    host = min(config.host_tolerance, config.stall_tolerance) if tested else config.stall_tolerance
    return {
        Experiment.KILL: (EARLIEST / 1e3, expected.killed.worst),
        Experiment.HANG: (config.stall_tolerance, expected.hung.worst),
        Experiment.HOST_LOSS: (host, expected.host_lost.worst),
        Experiment.UPDATE: (EARLIEST / 1e3, expected.update),
    }


def _round_trip(link: Link) -> float:
    """Seconds that 99 of 100 round trips stay below."""
    return 2 * (link.delay + link.processing) + ROUND_TRIP * link.jitter


def _set_scale(axes: Any, times: Sequence[float]) -> None:
    """Whole decades, with their units."""
    first, last = min([EARLIEST, *times]), max([LATEST, *times])
    decades = range(floor(log10(first) + 1e-9), floor(log10(last) + 1e-9) + (last > LATEST) + 1)
    axes.set_xlim(10.0 ** decades[0], 10.0 ** decades[-1])
    axes.set_xticks([10.0**power for power in decades], [_tick(power) for power in decades])


def _tick(power: int) -> str:
    return f"{10.0**power:g} s" if power > -1 else f"{10.0 ** (power + 3):g} ms"


# ------------------------------------------------------------------ what it costs


def _draw_load(axes: Any, setting: Setting) -> None:
    """What an idle member sends, by cluster size. These runs happen here, since they need other sizes."""
    axes.set(title="Load of an idle member", xlabel="members", ylabel="bytes per second", xscale="log")
    sizes = sorted({size for size in SIZES if size < setting.members} | {setting.members})
    idle = [Summary.of([conduct(Experiment.IDLE, attrs.evolve(setting, members=size), 0)]) for size in sizes]
    loads = [row.bytes / row.seconds for row in idle]
    axes.plot(sizes, loads, marker="o")
    axes.set_ylim(0, 1.3 * max(loads))
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
