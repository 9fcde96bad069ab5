"""Pictures of the results: when members knew, how news spread, what it costs."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs

from swim_core import ConfigError, SwimError
from swim_core.simulation.study import Experiment, Run, Setting, Summary, conduct

__all__ = ["Draw", "drawer"]

Draw = Callable[[Setting, dict[Experiment, list[Run]]], None]
ENDS = (Experiment.KILL, Experiment.HANG, Experiment.HOST_LOSS)
FAR_APART = 20  # times: milliseconds, which a crash takes, can't be seen beside the seconds of a hang
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
        ends = {experiment: _lasts(results[experiment]) for experiment in ENDS if experiment in results}
        updates = [run for run in results.get(Experiment.UPDATE, []) if run.told]
        panels: list[Callable[[Any], None]] = [partial(_draw_load, setting=setting)]
        if updates:
            panels.insert(0, partial(_draw_spread, runs=updates))
        if any(ends.values()):
            panels.insert(0, partial(_draw_detection, ends=ends))
        figure.set_size_inches(4 * len(panels), 3.6)
        for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            panel(axes)
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "swim"}):
            figure.savefig(path, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)

    return draw


def _lasts(runs: list[Run]) -> list[float]:
    """The time at which the last member was told in each run, sorted."""
    return sorted(run.told[-1] for run in runs if run.told)


def _draw_detection(axes: Any, ends: dict[Experiment, list[float]]) -> None:
    """The share of runs in which all members knew, over time."""
    axes.set(title="Ends known to all members", xlabel="seconds", ylabel="share of runs", ylim=(0, 1))
    ends = {experiment: lasts for experiment, lasts in ends.items() if lasts}
    for experiment, lasts in ends.items():
        shares = [(number + 1) / len(lasts) for number in range(len(lasts))]
        axes.step([lasts[0], *lasts], [0.0, *shares], where="post", label=experiment.value)
    axes.legend()
    if max(lasts[-1] for lasts in ends.values()) > FAR_APART * min(lasts[0] for lasts in ends.values()):
        axes.set_xscale("log")
    else:
        axes.set_xlim(left=0)


def _draw_spread(axes: Any, runs: list[Run]) -> None:
    """The share of members that knew an update, over time; one line for each run."""
    axes.set(title="Spread of an update", xlabel="milliseconds", ylabel="share of members", ylim=(0, 1))
    for told in (run.told for run in runs):
        shares = [(number + 1) / len(told) for number in range(len(told))]
        axes.step([0.0, *(1000 * time for time in told)], [0.0, *shares], where="post", color="C0", alpha=0.4)
    axes.set_xlim(left=0)


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
