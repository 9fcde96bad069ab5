"""The observations of each member, bounded so that a failure of many members doesn't fill the memory."""

from collections import OrderedDict, deque

import msgspec

from swim_core.events import Observation

__all__ = ["Observations"]


PER_MEMBER = 40  # observations kept of one member: a whole watch with votes of all `max_helpers`
MEMBERS = 256  # members observed; both bound the memory when many fail at once


class _Kept(msgspec.Struct):
    """The observations kept of one member, and the number of older ones dropped."""

    notes: deque[Observation] = msgspec.field(default_factory=lambda: deque(maxlen=PER_MEMBER))
    dropped: int = 0


class Observations:
    """The latest observations of members."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def add(self, subject: str, observation: Observation) -> None:
        """Keep an observation of a subject."""
        kept = self._kept.setdefault(subject, _Kept())
        kept.dropped += len(kept.notes) == PER_MEMBER
        kept.notes.append(observation)
        self._kept.move_to_end(subject)
        if len(self._kept) > MEMBERS:
            self._kept.popitem(last=False)

    def of(self, subject: str) -> tuple[Observation, ...]:
        """The observations kept of a subject, oldest first."""
        kept = self._kept.get(subject)
        return tuple(kept.notes) if kept is not None else ()

    def since(self, subject: str, number: int) -> tuple[int, tuple[Observation, ...]]:
        """The observations kept of a subject from ``number`` on; the first one ever noted is number 0.

        Returns:
            The number of the first one returned, and the observations.
        """
        kept = self._kept.get(subject, _Kept())
        first = max(number, kept.dropped)
        return first, tuple(kept.notes)[first - kept.dropped :]

    def forget(self, subject: str) -> None:
        """Drop the observations of a subject."""
        self._kept.pop(subject, None)
