"""The driver for the running loop. Each is imported only where its loop runs: programs rarely have both loops."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .asyncio_driver import AsyncioDriver
    from .trio_driver import TrioDriver

__all__ = ["current_driver"]


def current_driver() -> "AsyncioDriver | TrioDriver":
    """A driver for the loop in which the caller runs.

    Raises:
        RuntimeError: outside an event loop.
    """
    trio = sys.modules.get("trio")  # asked first: in guest mode trio runs inside an asyncio loop
    if trio is not None and trio.lowlevel.in_trio_task():
        from .trio_driver import TrioDriver

        return TrioDriver()
    from .asyncio_driver import AsyncioDriver

    return AsyncioDriver()
