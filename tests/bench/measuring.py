"""What the experiments of `rules.py` share: seeds, waiting, counting, and Markdown tables."""

import math
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from swim_core import Event
from swim_core.simulation import Process, Simulation

__all__ = ["count", "events", "messages", "per", "progress", "section", "settled", "share", "spread", "table"]


def section(title: str) -> None:
    """Begin a table with a line that says what it shows."""
    print(f"\n{title}\n", flush=True)


def progress(what: str) -> None:
    """Say on standard error what is being done."""
    print(f"\r{what:<70}", end="", file=sys.stderr, flush=True)


def table(header: str, rows: Iterable[Sequence[object]]) -> None:
    """Print rows as they come; ``header`` separates its cells by ``|``."""
    cells = header.split("|")
    print(f"| {' | '.join(cell.strip() for cell in cells)} |\n|{'---|' * len(cells)}", flush=True)
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |", flush=True)


def settled(simulation: Simulation, predicate: Callable[[], bool], limit: float, every: float = 0.01) -> float:
    """Seconds until ``predicate()`` holds; infinity if it doesn't within ``limit``."""
    try:
        return simulation.run_until(predicate, limit, every)
    except TimeoutError:
        return math.inf


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median and worst; "never" stands for infinity."""
    if not values:
        return "none"
    return " / ".join(_number(value, digits) for value in (statistics.median(values), max(values)))


def _number(value: float, digits: int) -> str:
    return "never" if math.isinf(value) else f"{value:.{digits}f}"


def share(part: int, whole: int) -> str:
    """A share in words, such as "3 of 20"."""
    return f"{part} of {whole}"


def per(total: float, parts: float, digits: int = 1) -> str:
    """A quotient; "none" where there is nothing to divide by."""
    return f"{total / parts:.{digits}f}" if parts else "none"


def events(
    processes: Iterable[Process], *kinds: type[Event], name: str = "", since: float = 0.0
) -> list[tuple[str, float, Event]]:
    """Which nodes were told events of those kinds (or any), and when, about the member ``name`` or about any."""
    return [
        (process.label, time, event)
        for process in processes
        for time, event in process.events
        if isinstance(event, kinds or object) and time >= since and (not name or _about(event) == name)
    ]


def count(processes: Iterable[Process], *kinds: type[Event], name: str = "", since: float = 0.0) -> int:
    """How many such events."""
    return len(events(processes, *kinds, name=name, since=since))


def _about(event: Event) -> str:
    member = getattr(event, "member", None)
    return member.name if member is not None else ""


def messages(processes: Iterable[Process]) -> Counter[str]:
    """Datagrams sent so far by the kind of their message."""
    total: Counter[str] = Counter()
    for process in processes:
        total.update(process.node.statistics().messages_sent)
    return total
