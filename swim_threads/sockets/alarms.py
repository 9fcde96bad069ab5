"""A few deadlines, each with a name."""

from collections.abc import Callable, Hashable
from math import inf

__all__ = ["Alarms"]


class Alarms:
    """Calls what is due. Meant for some tens of alarms, since it looks at all of them to find the next one."""

    def __init__(self) -> None:
        self._alarms: dict[Hashable, tuple[float, Callable[[float], None]]] = {}
        self.next = inf
        """When the next one is due."""

    def set(self, key: Hashable, at: float, action: Callable[[float], None]) -> None:
        """Call ``action(now)`` in the first `run` at or after ``at``, in place of what was set under the same key."""
        self._alarms[key] = (at, action)
        self._find_next()

    def drop(self, key: Hashable) -> None:
        """Forget one; harmless if there is none."""
        if self._alarms.pop(key, None) is not None:
            self._find_next()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._alarms

    def run(self, now: float) -> None:
        """Call what is due. Alarms that are set meanwhile wait for the next call."""
        due = [key for key, (at, _) in self._alarms.items() if at <= now]
        for key in due:
            alarm = self._alarms.pop(key, None)
            if alarm is not None:
                alarm[1](now)
        self._find_next()

    def _find_next(self) -> None:
        self.next = min((at for at, _ in self._alarms.values()), default=inf)
