"""Looks for what the floods missed when many members came at once."""

from swim_core.native.context import NodeContext

__all__ = ["Newcomers"]

MANY = 8
QUIET = 0.2  # seconds without another one


class Newcomers:
    """Counts the members that are met, and reports it when there were many and no more of them come.

    While rings change, some floods miss somebody. Digests would show that only at the next meeting at which both sides
    have been stable for a while.
    """

    def __init__(self, context: NodeContext) -> None:
        self._hub = context.hub
        self._timers = context.timers
        self._met = 0
        self._last = 0.0

    def met(self, now: float) -> None:
        """Count one more."""
        if not self._met:
            self._timers.at(now + QUIET, self._look)
        self._met += 1
        self._last = now

    def _look(self, now: float) -> None:
        if now < self._last + QUIET:
            self._timers.at(self._last + QUIET, self._look)
            return
        met, self._met = self._met, 0
        if met >= MANY:
            self._hub.many_met(now)
