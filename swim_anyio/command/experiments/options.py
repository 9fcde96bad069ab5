"""The options of the experiments, built with typer. The code of a command is imported when it runs."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from ..choices import Format, Preset
from .units import read_delay, read_duration, read_share

__all__ = ["add_experiments"]

Duration = Annotated[float | None, Option(parser=read_duration, metavar="TIME", help="For example 0.5, 500ms or 2s.")]
Overrides = Annotated[list[str] | None, Option("--set", metavar="FIELD=VALUE", help="Any other setting; repeatable.")]
Kind = Annotated[Preset | None, Option(help="Settings for a kind of network [lan].")]
Output = Annotated[Format, Option(help="Output for people or programs.")]
Loss = Annotated[
    float, Option(parser=read_share, metavar="SHARE", show_default=False, help="Share of datagrams lost, such as 1%.")
]
Experiments = Annotated[
    list[str] | None,
    Argument(
        metavar="EXPERIMENT",
        hidden=True,  # the text above the options has them
        autocompletion=lambda: ["kill", "hang", "hostloss", "update", "stall", "idle", "all"],
    ),
]
Delay = Annotated[
    float, Option(parser=read_delay, metavar="TIME", show_default=False, help="Minimum one-way delay [0.3ms].")
]
Jitter = Annotated[
    float, Option(parser=read_delay, metavar="TIME", show_default=False, help="Mean of a random addition [0.1ms].")
]


def add_experiments(app: typer.Typer) -> None:
    """Add `simulate` and `plan`."""
    app.command(short_help="Try out a cluster of any size in virtual time.")(simulate)
    app.command(short_help="Calculate what to expect of a cluster.")(plan)


def simulate(
    experiments: Experiments = None,
    members: Annotated[int, Option("-n", "--members", min=2, metavar="COUNT", help="How many members.")] = 32,
    loss: Loss = "0",  # type: ignore[assignment]  # typer parses defaults too
    delay: Delay = "0.3ms",  # type: ignore[assignment]
    jitter: Jitter = "0.1ms",  # type: ignore[assignment]
    preset: Kind = None,
    probe_interval: Duration = None,
    stall_tolerance: Duration = None,
    overrides: Overrides = None,
    runs: Annotated[int, Option(min=1, metavar="COUNT", help="Runs of each experiment.")] = 10,
    seed: Annotated[int, Option(metavar="NUMBER", help="Seed of the first run.")] = 0,
    plot: Annotated[Path | None, Option(metavar="FILE", help="Also draw a picture (.svg, .png, .pdf).")] = None,
    html: Annotated[Path | None, Option(metavar="FILE", help="Also write a page that replays a run.")] = None,
    format: Output = Format.TEXT,
) -> int:
    """\b
    Try out a cluster in the simulator: one failure or update, many times over.
    Example:  swim simulate kill hang -n 128 --loss 5% --plot detection.svg
    kill      a process is killed    update  a member changes its metadata
    hang      a process hangs        stall   one in 8 stalls for as long as it may
    hostloss  a host is lost         idle    nothing happens
    Status:   0 success, 2 bad options, 130 Ctrl-C (prints what is done so far)
    """
    from swim_core.simulation import Link
    from swim_core.simulation.study import Setting

    from .configs import read_config
    from .simulate import run_simulate

    config = read_config(preset, probe_interval, stall_tolerance, overrides or [])
    setting = Setting(members=members, config=config, link=Link(delay=delay, jitter=jitter, loss=loss))
    json = format is Format.JSON
    return run_simulate(experiments or [], setting, runs=runs, seed=seed, plot=plot, html=html, json=json)


def plan(
    members: Annotated[int, Option("-n", "--members", metavar="COUNT", help="How many members.")] = 32,
    rtt: Annotated[
        float,
        Option(parser=read_delay, metavar="TIME", show_default=False, help="99 in 100 round trips are faster [1ms]."),
    ] = "1ms",  # type: ignore[assignment]
    loss: Loss = "0",  # type: ignore[assignment]
    preset: Kind = None,
    probe_interval: Duration = None,
    stall_tolerance: Duration = None,
    overrides: Overrides = None,
    against: Annotated[
        list[str] | None,
        Option(metavar="FIELD=VALUE", help="Compare with this, such as preset=wan; repeatable."),
    ] = None,
    format: Output = Format.TEXT,
) -> int:
    """Calculate what to expect of a cluster, and warn about settings that don't suit it.

    \b
    Example:  swim plan --members 500 --rtt 40ms --loss 1%
              swim plan --members 500 --against stall_tolerance=10
    Numbers:  without a unit a round trip is of milliseconds, a loss of per
              cent (below 1: a share), and a setting of seconds
    Status:   0 success, even with warnings; 2 bad options
    """
    from .planning import run_plan

    return run_plan(
        members=members,
        rtt=rtt,
        loss=loss,
        preset=preset,
        probe_interval=probe_interval,
        stall_tolerance=stall_tolerance,
        overrides=overrides or [],
        against=against or [],
        json=format is Format.JSON,
    )
