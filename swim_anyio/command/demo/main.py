"""Runs the demo: signals, the view, the story, the exit status."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from swim_core import SwimError

from .cluster import Cluster
from .story import run_story
from .views import JsonView, PlainView, View

__all__ = ["run_demo"]


class _Interrupted(Exception):
    """A signal came; its number is the argument."""


def run_demo(count: int, *, json: bool, sealed: bool = False) -> int:
    """Run the demo with ``count`` agents, 3 to 20; returns the exit status. If ``sealed``, they have a key.

    It is 0 if everything went as it should, 1 if something did not, 128 + n after signal n.

    Raises:
        SwimError: if the system has no signals for stopping processes.
        OSError: if standard output can no longer be written to.
    """
    if not hasattr(signal, "SIGSTOP"):
        raise SwimError("the demo stops and resumes processes, and this system has no signals for that")
    view = _view(json)
    try:
        with _signals() as arrived, _cluster(view, arrived, sealed=sealed) as cluster, view:
            began = time.monotonic()
            outcomes = run_story(cluster, count, view)
            view.conclude(outcomes, time.monotonic() - began)
    except _Interrupted as interruption:
        return 128 + int(interruption.args[0])
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def _cluster(view: View, arrived: list[int], *, sealed: bool) -> Cluster:
    def pause() -> None:
        if arrived:
            raise _Interrupted(arrived[0])
        view.refresh(cluster)

    cluster = Cluster(pause, sealed=sealed)
    return cluster


def _view(json: bool) -> View:
    if json:
        return JsonView()
    if sys.stdout.isatty():
        from rich.console import Console

        console = Console(highlight=False)
        if console.is_terminal and not console.is_dumb_terminal:
            from .table import LiveView

            return LiveView(console)
    return PlainView()


@contextmanager
def _signals() -> Iterator[list[int]]:
    """The signals that have arrived. After the first, another one ends the demo and its agents at once.

    One that was ignored stays so (`nohup`), SIGHUP by a handler: what a process ignores, the agents that it starts
    would ignore as well, and they are to read their key file then.
    """
    arrived: list[int] = []
    wanted = [n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]

    def note(number: int, _: object) -> None:
        arrived.append(number)
        for wanted_number in wanted:
            signal.signal(wanted_number, signal.SIG_DFL)

    previous = {number: signal.signal(number, note) for number in wanted}
    if signal.SIGHUP not in wanted:
        previous[signal.SIGHUP] = signal.signal(signal.SIGHUP, lambda *_: None)
    try:
        yield arrived
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler or signal.SIG_DFL)
