"""What the pages show, wherever it comes from: a node, or members that are asked."""

from collections.abc import AsyncIterator
from typing import Any, Protocol, TypeAlias

__all__ = ["Record", "Source", "UnknownName"]

Record: TypeAlias = dict[str, Any]
"""What becomes JSON. Times are seconds since 1970, and durations seconds."""


class UnknownName(LookupError):
    """There is no member of that name; the message says who was asked."""


class Source(Protocol):
    """Answers the pages. A `SwimError` says that there is no answer just now, and why."""

    async def members(self) -> Record:
        """All members, live or gone; several views of them, if several members are asked."""

    async def why(self, name: str) -> Record:
        """Why a member is seen as it is. Raises `UnknownName`."""

    async def info(self) -> Record:
        """The statistics."""

    async def rings(self) -> Record:
        """The rings along which news floods."""

    def events(self, after: str) -> AsyncIterator[list[tuple[str, Record]]]:
        """What happened, oldest first, then what happens, each with an id after which to go on; now and then nothing.

        Args:
            after: such an id, "" for all that is remembered; if it means nothing here, the same.
        """
