"""`swim simulate`: experiments in virtual time, a table of the results, and a picture."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from swim_core import ConfigError
from swim_core.simulation import Link
from swim_core.simulation.study import Experiment, Run, Setting, Summary, conduct

from ..records import Record, to_json
from ..tools.writing import columns, write
from .captions import say_setting
from .units import say_duration, say_hops

__all__ = ["run_simulate"]

HEADER = ("EXPERIMENT", "RUNS", "HALF", "ALL", "P99", "MISSED", "FALSE", "TOOK", "SENT", "BYTES")
LEGEND = """
half, all  time until half of the members, or all, were told (median run)
p99        time until all were told in 99 of 100 runs (fewer runs: the longest)
missed     members that were never told; false: live members declared dead
took       length of a run; sent, bytes: what each member sent in it (means)
"""
HOP = 0.001  # seconds, the delay of a link without loss or jitter: the time of an update divided by it is its hops
Results = dict[Experiment, list[Run]]


def run_simulate(
    experiments: Sequence[str],
    setting: Setting,
    *,
    runs: int,
    seed: int,
    plot: Path | None,
    html: Path | None,
    json: bool,
) -> int:
    """Run the experiments on ``setting`` and print the results. Ctrl-C prints the results so far.

    Raises:
        ConfigError: if there is no such experiment, or the picture can't be drawn.
        OSError: if standard output or the picture can't be written.
    """
    wanted = _experiments(experiments)
    draw = _drawer(plot)
    if html is not None:
        _show(html, wanted[0], setting, seed)
    results: Results = {}
    interrupted = False
    try:
        with _progress(len(wanted) * runs) as advance:
            for experiment in wanted:
                for number in range(seed, seed + runs):
                    results.setdefault(experiment, []).append(conduct(experiment, setting, number))
                    advance(experiment.value)
    except KeyboardInterrupt:
        interrupted = True
    rows = {experiment: Summary.of(done) for experiment, done in results.items()}
    if rows:
        hops = _hops(setting, seed) if Experiment.UPDATE in rows else None
        write(b"".join(_records(setting, rows, seed, hops)) if json else _table(setting, rows, hops))
    if draw is not None and results:
        draw(setting, results)
    return 130 if interrupted else 0


def _show(html: Path, experiment: Experiment, setting: Setting, seed: int) -> None:
    """Write a page of the first run. It is one more, so that the others take no longer."""
    from .replay import record_run

    _, page = record_run(experiment, setting, seed)
    html.write_bytes(page)


def _experiments(names: Sequence[str]) -> list[Experiment]:
    known = [experiment.value for experiment in Experiment]
    unknown = [name for name in names if name not in (*known, "all")]
    if unknown:
        raise ConfigError(f"there is no experiment {unknown[0]!r}: choose {', '.join(known)} or all")
    return list(Experiment) if not names or "all" in names else [Experiment(name) for name in dict.fromkeys(names)]


def _drawer(plot: Path | None) -> Callable[[Setting, Results], None] | None:
    """A function that draws to that file. Problems show before hours are spent on the experiments."""
    if plot is None:
        return None
    from .plots import drawer

    return drawer(plot)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """Show progress on standard error, if that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    shown = (TextColumn("{task.description:<9}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*shown, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total)
        yield lambda what: progress.update(task, advance=1, description=what)


def _hops(setting: Setting, seed: int) -> int:
    exact = attrs.evolve(setting, link=Link.exact(HOP), warm_up=setting.config.probe_interval)
    return round(conduct(Experiment.UPDATE, exact, seed).told[-1] / HOP)


def _table(setting: Setting, rows: dict[Experiment, Summary], hops: int | None) -> str:
    table = columns(HEADER, (_cells(experiment, row) for experiment, row in rows.items()))
    spread = f"\nan update takes {say_hops(hops)} to reach the last member\n" if hops is not None else ""
    return f"{say_setting(setting)}\n\n{table}\n{spread}{LEGEND}"


def _cells(experiment: Experiment, row: Summary) -> tuple[str, ...]:
    return (
        experiment.value,
        str(row.runs),
        say_duration(row.median),
        say_duration(row.last),
        say_duration(row.last_p99),
        str(row.missing),
        str(row.false_deaths),
        say_duration(row.seconds),
        f"{row.datagrams:.1f}",
        f"{row.bytes:.0f}",
    )


def _records(setting: Setting, rows: dict[Experiment, Summary], seed: int, hops: int | None) -> Iterator[bytes]:
    for experiment, row in rows.items():
        record: Record = {"t": time.time(), "event": "simulated", "experiment": experiment.value}
        spread: Record = {"hops": hops} if experiment is Experiment.UPDATE else {}
        yield to_json({**record, "members": setting.members, "seed": seed, **attrs.asdict(row), **spread})
