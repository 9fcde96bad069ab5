"""The live view: how each agent sees the others, redrawn in place. It is the only part that imports rich."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..text import pieces
from .cluster import Agent, Cluster
from .story import Outcome
from .views import summary

__all__ = ["LiveView"]

FRAME = 0.1  # seconds: often enough to look alive
PACE = 1.0  # seconds between steps: most take milliseconds, and people have to see them
STYLES = {
    "alive": "green",
    "suspect": "bold yellow",
    "dead": "bold red",
    "left": "blue",
    "running": "green",
    "stopped": "bold yellow",
    "killed": "bold red",
    "leaving": "blue",
    "ended": "bold red",
    "starting": "dim",
}
WORDS_UP_TO = 5  # agents; with more, a column has room for a single letter only
LEGEND = Text("A alive   S suspect   D dead   L left", style="dim")


class LiveView:
    """A table with a row for each agent, which says how it sees each other, and below it what happened."""

    pace = PACE

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")
        self._headline = ""
        self._outcomes: list[Outcome] = []
        self._cluster: Cluster | None = None
        self._drawn = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._draw(events=0)
        self._live.stop()

    def announce(self, text: str) -> None:
        """Change the headline."""
        self._headline = text
        self._draw()

    def tell(self, outcome: Outcome) -> None:
        """Add a line below the table."""
        self._outcomes.append(outcome)
        self._draw()

    def refresh(self, cluster: Cluster) -> None:
        """Redraw, unless that was just done."""
        self._cluster = cluster
        if time.monotonic() - self._drawn >= FRAME:
            self._draw()

    def conclude(self, outcomes: Sequence[Outcome], seconds: float) -> None:
        """Show the last headline."""
        self._headline = summary(outcomes, seconds)

    def _draw(self, events: int | None = None) -> None:
        self._drawn = time.monotonic()
        agents = list(self._cluster.agents.values()) if self._cluster else []
        parts: list[RenderableType] = [Text(self._headline, style="bold"), beliefs_table(agents)]
        parts += [_outcome_line(outcome) for outcome in self._outcomes]
        room = self._console.height - len(agents) - len(self._outcomes) - 6 if events is None else events
        if self._cluster is not None and room > 0:
            latest = [entry for entry in self._cluster.history if entry[1]["event"] != "started"][-room:]
            parts += [_event_line(name, record) for name, record in latest]
        if len(agents) > WORDS_UP_TO:
            parts.append(LEGEND)
        self._live.update(Group(*parts), refresh=True)


def beliefs_table(agents: Sequence[Agent]) -> Table:
    """The table. On 80 columns there is room for words with five agents, and for letters with twenty."""
    words = len(agents) <= WORDS_UP_TO
    table = Table(box=box.SIMPLE_HEAD, padding=(0, int(words), 0, 0), pad_edge=False, show_edge=False)
    table.add_column("agent")
    if len(agents) <= 2 * WORDS_UP_TO:
        table.add_column("pid", justify="right")
    table.add_column("port", justify="right")
    table.add_column("process", min_width=8)
    for agent in agents:
        table.add_column(agent.name if words else agent.name[1:], min_width=7 if words else 2)
    for agent in agents:
        pid = [str(agent.process.pid)] if len(agents) <= 2 * WORDS_UP_TO else []
        cells: list[str | Text] = [agent.name, *pid, agent.address.rpartition(":")[2], _cell(agent.status)]
        table.add_row(*cells, *(_belief(agent, other, words) for other in agents))
    return table


def _belief(agent: Agent, other: Agent, words: bool) -> Text:
    if agent is other:
        return Text("-", style="dim")
    belief = agent.beliefs.get(other.name, "")
    text = _cell(belief) if words else Text(belief[:1].upper(), style=STYLES.get(belief, ""))
    if not agent.up:  # how it last saw the other
        text.stylize("dim")
    return text


def _cell(word: str) -> Text:
    return Text(word, style=STYLES.get(word, ""))


def _outcome_line(outcome: Outcome) -> Text:
    verdict = ("ok      ", "green") if outcome.ok else ("FAILED  ", "bold red")
    return Text.assemble(verdict, outcome.text)


def _event_line(name: str, record: dict[str, Any]) -> Text:
    (clock, _), (event, _), (words, _) = pieces(record)
    return Text(f"{clock}{name:<4}{event}{words}", style="dim", no_wrap=True, overflow="ellipsis")
