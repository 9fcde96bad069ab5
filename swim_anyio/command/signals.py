"""Signals for commands that run until they are told to end."""

import signal
from collections.abc import Callable

import anyio
from anyio.abc import TaskStatus

__all__ = ["watch_signals"]


async def watch_signals(end: Callable[[signal.Signals], None], *, task_status: TaskStatus[None]) -> None:
    """Call ``end`` at the first signal. A further one ends the process at once.

    A signal that was ignored when the process started stays ignored (`nohup`, background jobs of scripts).
    """
    present = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    wanted = [number for number in present if signal.getsignal(number) is not signal.SIG_IGN]
    try:
        with anyio.open_signal_receiver(*wanted) as received:
            task_status.started()
            async for number in received:
                end(number)
                break
    except NotImplementedError:  # asyncio on Windows, where Ctrl-C is a KeyboardInterrupt
        task_status.started()
    finally:
        for number in wanted:
            signal.signal(number, signal.SIG_DFL)
