"""A node in a loop of your own: the pure core, one socket, one selector.

swim agent --name ann                           # first terminal
python docs/examples/embedding.py bob 0 7946    # second
"""

import os
import selectors
import socket
import sys
import time
from contextlib import suppress

from swim_core import Config, Node


def flush(node: Node, sock: socket.socket) -> None:
    """Carry out what the node asks for after each input and intent: datagrams first, then events."""
    while (datagram := node.poll_datagram()) is not None:
        with suppress(OSError):  # the network may be away; the protocol expects losses
            sock.sendto(*datagram)
    while (event := node.poll_event()) is not None:
        print(event)


def run(node: Node, sock: socket.socket, selector: selectors.BaseSelector) -> None:
    """Feed the node what happens, until it has said goodbye."""
    flush(node, sock)
    while not node.has_left:
        deadline = node.poll_deadline()
        selector.select(None if deadline is None else max(0.0, deadline - time.monotonic()))
        with suppress(BlockingIOError):
            while True:  # all datagrams before the clock: an answer that waits here must not count as missing
                node.feed_datagram(*sock.recvfrom(65_536), now=time.monotonic())
        node.feed_tick(now=time.monotonic())  # an early tick is harmless
        flush(node, sock)


def main(name: str, port: int, seed: int) -> None:
    """Be a member until Ctrl-C."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, selectors.DefaultSelector() as selector:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError as error:
            sys.exit(f"embedding: port {port}: {error.strerror}")
        sock.setblocking(False)
        selector.register(sock, selectors.EVENT_READ)
        address, now, unix_ms = sock.getsockname(), time.monotonic(), time.time_ns() // 1_000_000
        node = Node(name, address, config=Config.from_env(), now=now, entropy=os.urandom(32), unix_ms=unix_ms)
        try:
            node.join([("127.0.0.1", seed)], now=now)
            run(node, sock, selector)
        except KeyboardInterrupt:
            node.leave(now=time.monotonic())
            run(node, sock, selector)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])) if len(sys.argv) == 4 else sys.exit(__doc__)
