"""Tells the service manager when the agent is ready and when it leaves: systemd's protocol (sd_notify(3)).

A manager that wants to know names a socket in the environment. If it can't be told, that is logged and doesn't harm the
node. The manager then ends the agent after a time, and says so.
"""

import logging
import os
import socket

import anyio

__all__ = ["READY", "STOPPING", "take_address", "tell"]

log = logging.getLogger("swim_anyio.service")

READY = "READY=1"
STOPPING = "STOPPING=1"


def take_address() -> str | None:
    """The manager's socket. It is removed from the environment, so that no child speaks in this process's place.

    None if nobody wants to know.
    """
    return os.environ.pop("NOTIFY_SOCKET", "") or None


async def tell(address: str | None, state: str) -> None:
    """Send a state to the manager, waiting while its queue is full; that never blocks the event loop.

    Args:
        address: a path, or ``@`` and a name among Linux's abstract sockets; None does nothing.
        state: `READY` or `STOPPING`.
    """
    if address is None:
        return
    try:
        await _send(address, state.encode())
    except OSError as error:
        log.warning("the service manager at %s can't be told %s: %s", address, state, error)


async def _send(address: str, message: bytes) -> None:
    if address[0] not in "/@" or not hasattr(socket, "AF_UNIX"):
        raise OSError("only Unix sockets are supported")
    name = "\0" + address[1:] if address[0] == "@" else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.setblocking(False)
        manager.connect(name)  # only a connected socket becomes writable when there is room in the other's queue
        while True:
            try:
                manager.send(message)
                return
            except BlockingIOError:
                await anyio.wait_writable(manager)
