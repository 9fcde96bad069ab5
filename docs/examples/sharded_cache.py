"""A cache that is spread over its members: each key is kept by its owner.

    python docs/examples/sharded_cache.py --name ann                                            # first terminal
    python docs/examples/sharded_cache.py --name bob --bind 127.0.0.1:0 --join 127.0.0.1:7946   # second
    nc 127.0.0.1 PORT                   # third, a port that one of them printed; type SET tea 3.50, then GET tea

You can ask any member: one that doesn't own the key passes the request on to the TCP port in the owner's metadata.
When a member joins, the others hand its keys to it. When one is lost, its keys are lost with it (it is a cache) and
belong to others from then on; no other keys move.
"""

import argparse
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
from anyio.abc import SocketAttribute, SocketStream, TaskStatus
from anyio.streams.buffered import BufferedByteReceiveStream

import swim_anyio
from swim_core import Member, SwimError
from swim_core.placement import Placement, moved

MAX_LINE = 65_536
# what the other end of a connection can do to us; a TimeoutError is an OSError
GONE = (OSError, anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.DelimiterNotFound)


class Shard:
    """One member's part of the cache."""

    def __init__(self, node: swim_anyio.AsyncNode) -> None:
        self._node = node
        self._placement = Placement(())
        self.store: dict[str, str] = {}

    async def answer(self, request: str) -> str:
        """The answer to a line: GET KEY, SET KEY VALUE, or one of these after HERE."""
        match request.split(" ", 2):
            case ["GET" | "SET", key, *_]:
                owner = self._placement.owner(key)
                # Compare names: a Member that was looked up a moment ago may differ in state or metadata.
                return self._here(request) if owner.name == self._node.local.name else await ask(owner, request)
            case ["HERE", *_]:
                # Another member thinks that the key is ours. Do as it says and never pass it on: while news travels,
                # two members may take each other for the owner, and the request would go round in circles.
                return self._here(request.removeprefix("HERE "))
        return "ERROR say GET KEY or SET KEY VALUE"

    def _here(self, request: str) -> str:
        match request.split(" ", 2):
            case ["GET", key]:
                return f"VALUE {self.store[key]}" if key in self.store else "NONE"
            case ["SET", key, value]:
                self.store[key] = value
                return "OK"
            case ["GIVE", key, value]:
                self.store.setdefault(key, value)  # what was set here in the meantime is newer
                return "OK"
        return "ERROR say GET KEY or SET KEY VALUE"

    async def follow(self, *, task_status: TaskStatus[None]) -> None:
        """Keep the placement as the membership is."""
        with self._node.subscribe() as events:
            await self._place()  # events tell of others only: the first placement is made without one
            task_status.started()
            async for _ in events:
                await self._place()

    async def _place(self) -> None:
        """Look at the members again, and give the keys that are no longer ours to their new owners."""
        before = self._placement
        after = self._placement = Placement(self._node.members(), where={"role": "cache"})
        moves = moved(before, after, self.store)
        for move in moves:
            value = self.store.pop(move.key)
            if move.target is not None:
                await ask(move.target, f"GIVE {move.key} {value}")
        if [member.name for member in before.members] != [member.name for member in after.members]:
            print(f"{after}, {len(moves)} keys handed over")

    async def serve(self, stream: SocketStream) -> None:
        """Answer the lines of one connection."""
        lines = BufferedByteReceiveStream(stream)
        async with stream:
            try:
                while True:
                    line = await lines.receive_until(b"\n", MAX_LINE)
                    await stream.send(f"{await self.answer(line.decode(errors='replace').strip())}\n".encode())
            except GONE:  # the client may go when it likes
                pass


async def ask(owner: Member, request: str) -> str:
    """Pass a request on to the member that owns its key."""
    try:
        with anyio.fail_after(1):
            async with await anyio.connect_tcp(owner.address.host, int(owner.metadata["port"])) as stream:
                await stream.send(f"HERE {request}\n".encode())
                answer = await BufferedByteReceiveStream(stream).receive_until(b"\n", MAX_LINE)
    except GONE:  # it is gone, and not yet known to be: a cache can do without
        return f"ERROR {owner.name} does not answer"
    return answer.decode().strip()


@asynccontextmanager
async def open_shard(bind: str | None, *, join: str | None = None, name: str | None = None) -> AsyncIterator[Shard]:
    """Be a member of the cache for the length of the block."""
    async with (
        swim_anyio.open_node(bind, join=join, name=name) as node,
        await anyio.create_tcp_listener(local_host=node.local.address.host) as listener,
        anyio.create_task_group() as tasks,
    ):
        shard = Shard(node)
        port = listener.extra(SocketAttribute.local_port)
        node.update_metadata({"role": "cache", "port": str(port)})  # who sees it can connect: the port is open
        print(f"{node.local.name} serves on {node.local.address.host}:{port}, its node is at {node.local.address}")
        await tasks.start(shard.follow)
        tasks.start_soon(listener.serve, shard.serve)
        yield shard
        tasks.cancel_scope.cancel()


async def run(bind: str | None, join: str | None, name: str | None) -> None:
    """Serve until cancelled."""
    async with open_shard(bind, join=join, name=name):
        await anyio.sleep_forever()


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", help="unique in the cluster")
    parser.add_argument("--bind", help="HOST:PORT of the node; port 0 takes a free one (127.0.0.1:7946)")
    parser.add_argument("--join", help="HOST:PORT of a member")
    options = parser.parse_args(arguments)
    try:
        anyio.run(run, options.bind, options.join, options.name)
    except KeyboardInterrupt:
        pass
    except SwimError as error:
        sys.exit(f"sharded_cache: {error}")


if __name__ == "__main__":
    main()
