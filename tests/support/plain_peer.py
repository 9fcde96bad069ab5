"""A plain socket in place of another member."""

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from support.waiting import HERE, SOON
from swim_anyio import AsyncNode
from swim_core import Address

__all__ = ["nobody", "peer", "provoke", "received"]


@contextmanager
def peer() -> Iterator[tuple[Address, socket.socket]]:
    """A plain socket that receives other members' datagrams."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(HERE)
        sock.setblocking(False)
        yield Address(*sock.getsockname()), sock


def received(sock: socket.socket, *, any_sent: bool = True) -> list[bytes]:
    """What has arrived. What was sent before this call counts, and no node in this thread can send meanwhile.

    Loopback delivers within the sender's call, but for a machine so busy that the kernel leaves it to a thread.
    """
    if any_sent:
        select.select([sock], [], [], SOON)
    datagrams = []
    while True:
        try:
            datagrams.append(sock.recv(65_536))
        except BlockingIOError:
            return datagrams


def nobody() -> Address:
    """An address at which nobody listens, and which refuses."""
    with peer() as (address, _):
        return address


def provoke(node: AsyncNode) -> None:
    """Send the node a datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"hello", node.local.address)
