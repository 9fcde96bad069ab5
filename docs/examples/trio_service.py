"""A trio service that others find by its metadata, and that drains before it ends.

    python docs/examples/trio_service.py --name ann                                            # first terminal
    python docs/examples/trio_service.py --name bob --bind 127.0.0.1:0 --join 127.0.0.1:7946   # second

Each answers in capitals on a TCP port of its own (`nc 127.0.0.1 PORT`), and prints which members serve. Ctrl-C or
SIGTERM drains it: the others see that and stop coming, open connections may finish, and only then does it leave.
"""

import argparse
import signal
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial

import trio

import swim_anyio
from swim_core import Member, SwimError

GRACE = 5.0  # seconds that open connections have to finish


def serving(members: Iterable[Member]) -> list[str]:
    """Where to send requests: "name at host:port" of the members that accept them."""
    return [
        f"{member.name} at {member.address.host}:{member.metadata['port']}"
        for member in members
        if member.metadata.get("role") == "capitals" and member.metadata["status"] == "serving"
    ]


async def answer(stream: trio.SocketStream) -> None:
    """Serve one connection."""
    with suppress(trio.BrokenResourceError):  # the client may go when it likes
        async for data in stream:
            await stream.send_all(data.upper())


async def report(node: swim_anyio.AsyncNode) -> None:
    """Print who serves whenever that changes."""
    last: list[str] = []
    with node.subscribe(current=True) as events:  # `current` begins with those who are there already
        async for _ in events:  # whatever happened, `members()` is the state after it
            if (now := serving(node.members())) != last:
                print("serving:", ", ".join(now) or "nobody")
                last = now


async def run(bind: str | None, join: str | None, name: str | None) -> None:
    """Serve until a signal comes."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with (
            swim_anyio.open_node(bind, join=join, name=name) as node,
            trio.open_nursery() as connections,  # serves those that were accepted ..
        ):
            async with trio.open_nursery() as service:  # .. by this one, which ends first
                serve = partial(trio.serve_tcp, host="127.0.0.1", handler_nursery=connections)
                [listener] = await service.start(serve, answer, 0)
                port = str(listener.socket.getsockname()[1])
                # Only now, since everybody who reads the metadata can connect at once.
                node.update_metadata({"role": "capitals", "port": port, "status": "serving"})
                print(f"{node.local.name} serves on 127.0.0.1:{port}, its node is at {node.local.address}")
                service.start_soon(report, node)

                await anext(signals)
                print("draining")
                node.update_metadata({"role": "capitals", "port": port, "status": "draining"})
                service.cancel_scope.cancel()
            connections.cancel_scope.deadline = trio.current_time() + GRACE
        # The end of open_node's block said goodbye: the others know that it left, and need not find out.
    print("left")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", help="unique in the cluster")
    parser.add_argument("--bind", help="HOST:PORT of the node; port 0 takes a free one (127.0.0.1:7946)")
    parser.add_argument("--join", help="HOST:PORT of a member")
    options = parser.parse_args(arguments)
    try:
        trio.run(run, options.bind, options.join, options.name)
    except KeyboardInterrupt:  # before it listened to signals
        pass
    except SwimError as error:  # the port is in use, an address can't be read ..
        sys.exit(f"trio_service: {error}")


if __name__ == "__main__":
    main()
