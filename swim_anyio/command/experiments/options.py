"""The options of the experiments, by typer. What a command does is imported when it runs."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from ..choices import Format, Preset
from .units import read_duration, read_share

__all__ = ["add_experiments"]

Duration = Annotated[float | None, Option(parser=read_duration, metavar="TIME", help="As in 0.5, 500ms or 2s.")]
Overrides = Annotated[list[str] | None, Option("--set", metavar="FIELD=VALUE", help="Any other setting; repeatable.")]
Kind = Annotated[Preset | None, Option(help="Settings for a kind of network [lan].")]
Output = Annotated[Format, Option(help="For people or for programs.")]
Loss = Annotated[
    float, Option(parser=read_share, metavar="SHARE", show_default=False, help="Lost datagrams, as in 1%.")
]


def add_experiments(app: typer.Typer) -> None:
    """Add `simulate` and `plan`."""
    app.command(short_help="Try a cluster of any size, in virtual time.")(simulate)
    app.command(short_help="What to expect of a cluster, by formulas.")(plan)


def simulate(
    experiments: Annotated[
        list[str] | None,
        Argument(
            metavar="EXPERIMENT",
            hidden=True,  # the text above the options has them
            autocompletion=lambda: ["kill", "hang", "hostloss", "update", "stall", "idle", "all"],
        ),
    ] = None,
    members: Annotated[int, Option("-n", "--members", min=2, metavar="COUNT", help="How many there are.")] = 32,
    loss: Loss = "0",  # type: ignore[assignment]  # typer parses defaults too
    delay: Annotated[
        float, Option(parser=read_duration, metavar="TIME", show_default=False, help="The least, one way [0.3ms].")
    ] = "0.3ms",  # type: ignore[assignment]
    jitter: Annotated[
        float, Option(parser=read_duration, metavar="TIME", show_default=False, help="Its mean, in addition [0.1ms].")
    ] = "0.1ms",  # type: ignore[assignment]
    preset: Kind = None,
    probe_interval: Duration = None,
    stall_tolerance: Duration = None,
    overrides: Overrides = None,
    runs: Annotated[int, Option(min=1, metavar="COUNT", help="Of each experiment.")] = 10,
    seed: Annotated[int, Option(metavar="NUMBER", help="Of the first run.")] = 0,
    plot: Annotated[Path | None, Option(metavar="FILE", help="Also draw it (.svg, .png, .pdf).")] = None,
    format: Output = Format.TEXT,
) -> int:
    """Try a cluster in the simulator: one end, update or stall, many times over.

    \b
    Example:  swim simulate kill hang -n 128 --loss 5% --plot detection.svg
    kill      a process ends     update  a member changes its metadata
    hang      a process stops    stall   one in 8 stalls, no longer than it may
    hostloss  a host is gone     idle    nothing happens
    Status:   0 done, 2 bad options, 130 Ctrl-C (what is done is printed)
    """
    from .simulate import run_simulate

    return run_simulate(
        experiments or [],
        members=members,
        loss=loss,
        delay=delay,
        jitter=jitter,
        preset=preset,
        probe_interval=probe_interval,
        stall_tolerance=stall_tolerance,
        overrides=overrides or [],
        runs=runs,
        seed=seed,
        plot=plot,
        json=format is Format.JSON,
    )


def plan(
    members: Annotated[int, Option("-n", "--members", metavar="COUNT", help="How many there are.")] = 32,
    rtt: Annotated[
        float,
        Option(
            parser=read_duration, metavar="TIME", show_default=False, help="99 of 100 round trips are faster [1ms]."
        ),
    ] = "1ms",  # type: ignore[assignment]
    loss: Loss = "0",  # type: ignore[assignment]
    preset: Kind = None,
    probe_interval: Duration = None,
    stall_tolerance: Duration = None,
    overrides: Overrides = None,
    format: Output = Format.TEXT,
) -> int:
    """Say what to expect of a cluster, and warn of settings that don't suit it.

    \b
    Example:  swim plan --members 500 --rtt 40ms --loss 1%
    Status:   0 said, also with warnings; 2 bad options
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
        json=format is Format.JSON,
    )
