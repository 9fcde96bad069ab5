"""What an operator should know of one socket, each once: destinations out of reach, a buffer that overflowed."""

import contextlib
import os
import socket
from collections import deque

from swim_core import Address, BindError
from swim_core.address import is_loopback
from swim_core.embedding.log_messages import WARNING, Notice

from .routes import route_source

__all__ = ["Troubles"]

MOST = 8  # destinations about which there are warnings: if nothing leaves the host at all, more would add nothing


class Troubles:
    """Collects the warnings about a socket that is bound to ``address``."""

    def __init__(self, sock: socket.socket, address: Address) -> None:
        self._socket = sock
        self._address = address
        self._out_of_reach: set[Address] = set()
        self._overflowed = False
        self._notices: deque[Notice] = deque()

    def take(self) -> Notice | None:
        """The next warning; None if there is no other."""
        return self._notices.popleft() if self._notices else None

    def unsent(self, destination: Address, number: int) -> None:
        """Note that nothing gets to ``destination``, because of the error with that number."""
        if destination in self._out_of_reach or len(self._out_of_reach) == MOST:
            return
        self._out_of_reach.add(destination)
        reason = f"nothing sent to {destination} leaves this host: {os.strerror(number)}"
        if is_loopback(self._address) and not is_loopback(destination):
            wildcard = "[::]" if self._socket.family == socket.AF_INET6 else "0.0.0.0"
            source = None
            with contextlib.suppress(BindError):  # no more descriptors
                source = route_source(destination)
            reason += (
                f": this node is bound to {self._address.host}, a loopback address, which reaches its own host only;"
                f" bind {source or 'an address of the network'}, or {wildcard}"
            )
        self._notices.append(Notice(WARNING, "settings", reason, {"event": "unsendable"}))

    def overflowed(self, count: int) -> None:
        """Note that ``count`` datagrams were lost because they came faster than they were read."""
        if self._overflowed:
            return
        self._overflowed = True
        room = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        text = (
            f"{count} datagrams were lost, since the receive buffer ({room} bytes) was full: this process reads too"
            " slowly, or too many came at once (net.core.rmem_default makes it larger)"
        )
        self._notices.append(Notice(WARNING, "settings", text, {"event": "overflowed", "count": count}))
