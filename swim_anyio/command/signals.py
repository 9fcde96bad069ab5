"""Signals for commands that run until they are told to end."""

import os
import signal
from collections.abc import Callable

import anyio
from anyio.abc import TaskStatus

__all__ = ["watch_signals"]


async def watch_signals(
    end: Callable[[signal.Signals], None],
    reload: Callable[[], bool] = lambda: False,
    *,
    task_status: TaskStatus[None],
) -> None:
    """Call ``end`` at the first signal. A further one ends the process at once.

    SIGHUP ends nothing if ``reload`` says that it had something to reload, unless a terminal was closed.
    A signal that was ignored when the process started stays ignored (`nohup`, background jobs of scripts).
    """
    present = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    wanted = [number for number in present if signal.getsignal(number) is not signal.SIG_IGN]
    terminal = _has_terminal()
    try:
        with anyio.open_signal_receiver(*wanted) as received:
            task_status.started()
            async for number in received:
                hung_up = terminal and not _has_terminal()
                if number.name == "SIGHUP" and not hung_up and reload():
                    continue
                end(number)
                break
    except NotImplementedError:  # asyncio on Windows, where Ctrl-C is a KeyboardInterrupt
        task_status.started()
    finally:
        for number in wanted:
            signal.signal(number, signal.SIG_DFL)


def _has_terminal() -> bool:
    """Whether a terminal controls this process. Once it was closed there is none."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
    except (OSError, AttributeError):  # Windows has neither
        return False
    return True
