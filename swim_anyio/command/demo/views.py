"""Three ways to show the demo: a live table on terminals, plain lines elsewhere, and JSON lines for programs."""

import json
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from .cluster import Cluster
from .story import Outcome

__all__ = ["JsonView", "PlainView", "View", "summary"]


class View(Protocol):
    """Shows a run; use it as a context manager."""

    @property
    def pace(self) -> float:
        """Seconds between two steps, so that people can follow."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def announce(self, text: str) -> None:
        """Say what is happening now."""

    def tell(self, outcome: Outcome) -> None:
        """Report a step that is over."""

    def refresh(self, cluster: Cluster) -> None:
        """Show the current state; called often."""

    def conclude(self, outcomes: Sequence[Outcome], seconds: float) -> None:
        """Report the end of the story."""


def summary(outcomes: Sequence[Outcome], seconds: float) -> str:
    """The last line for people."""
    failed = [outcome.step for outcome in outcomes if not outcome.ok]
    verdict = f"Failed: {', '.join(failed)}" if failed else "Everything went as it should"
    return f"{verdict}, in {seconds:.1f} s."


class _Lines:
    """Prints only outcomes, since they follow soon, and keeps nothing on the screen."""

    pace = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def announce(self, text: str) -> None:
        """Print nothing."""

    def refresh(self, cluster: Cluster) -> None:
        """Print nothing."""


class PlainView(_Lines):
    """A line for each step."""

    def tell(self, outcome: Outcome) -> None:
        """Print one line."""
        print(f"{'ok' if outcome.ok else 'FAILED':<8}{outcome.step:<11}{outcome.text}", flush=True)

    def conclude(self, outcomes: Sequence[Outcome], seconds: float) -> None:
        """The last line."""
        print(summary(outcomes, seconds), flush=True)


class JsonView(_Lines):
    """An object for each step: ``t``, ``step``, ``ok``, ``seconds``, ``text`` and its facts; finally a summary."""

    def tell(self, outcome: Outcome) -> None:
        """Print one object."""
        row = {"step": outcome.step, "ok": outcome.ok, "seconds": outcome.seconds, "text": outcome.text}
        self._print(row | outcome.facts)

    def conclude(self, outcomes: Sequence[Outcome], seconds: float) -> None:
        """Print the summary: ``ok`` overall, and for each step in ``steps``."""
        steps = {outcome.step: outcome.ok for outcome in outcomes}
        self._print({"step": "summary", "ok": all(steps.values()), "seconds": round(seconds, 3), "steps": steps})

    def _print(self, row: dict[str, object]) -> None:
        sys.stdout.write(json.dumps({"t": time.time(), **row}) + "\n")
        sys.stdout.flush()
