"""What was observed of which member: bounded, so that a failure of many fills no memory."""

from collections import OrderedDict, deque

import msgspec

from swim_core.events import Observation

__all__ = ["Observations"]


PER_MEMBER = 40  # observations kept of one member: a watch with votes of all `max_helpers`, from its beginning
MEMBERS = 256  # members observed; both bound the memory when much fails at once


class _Kept(msgspec.Struct):
    """What is kept of one member, and how much older there was."""

    notes: deque[Observation] = msgspec.field(default_factory=lambda: deque(maxlen=PER_MEMBER))
    dropped: int = 0


class Observations:
    """The latest observations of the members that gave reason for any."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def add(self, subject: str, observation: Observation) -> None:
        """Keep what somebody saw of a subject."""
        kept = self._kept.setdefault(subject, _Kept())
        kept.dropped += len(kept.notes) == PER_MEMBER
        kept.notes.append(observation)
        self._kept.move_to_end(subject)
        if len(self._kept) > MEMBERS:
            self._kept.popitem(last=False)

    def of(self, subject: str) -> tuple[Observation, ...]:
        """What is kept of a subject, oldest first."""
        kept = self._kept.get(subject)
        return tuple(kept.notes) if kept is not None else ()

    def since(self, subject: str, number: int) -> tuple[int, tuple[Observation, ...]]:
        """What is kept of a subject from observation ``number`` on, counted from 0 for the first ever noted.

        Returns:
            The number of the first one returned, and those there are.
        """
        kept = self._kept.get(subject, _Kept())
        first = max(number, kept.dropped)
        return first, tuple(kept.notes)[first - kept.dropped :]

    def forget(self, subject: str) -> None:
        """Drop what was noted of a subject."""
        self._kept.pop(subject, None)
