"""A program with nodes that makes children in every way, and looks for the sockets of nodes in them.

Run as ``python -m support.forking (children | race) WORLD``; ends with 0 if all is well, else says what is not.
"""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from support.waiting import SOON, wait_until
from support.worlds import WORLDS, World

DESCRIPTORS = Path("/proc/self/fd")
FORKS = 40


def sockets() -> set[str]:
    """The sockets of this process, by what the system calls them."""
    found = set()
    for entry in DESCRIPTORS.iterdir():
        with suppress(OSError):  # the descriptor that was opened to list them
            found.add(os.readlink(entry))
    return {name for name in found if name.startswith("socket:")}


def main(mode: str, name: str) -> None:
    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and later warn of forks beside threads
    with WORLDS[name]() as world:
        {"children": children, "race": race}[mode](world)


def children(world: World) -> None:
    """While two nodes are open that know each other and have tripwires."""
    before = sockets()
    nodes = world.open_cluster("ann", "bob")
    wait_until(lambda: all(node.statistics().tripwires for node in nodes))
    ours = sockets() - before
    assert len(ours) > len(nodes)
    for way, make in WAYS.items():
        assert not make() & ours, f"a child made by {way} holds sockets of nodes"
    assert all(len(node.members()) == 2 for node in nodes), "a child did the parent harm"


def race(world: World) -> None:
    """While another thread opens and closes a node again and again."""
    before, over = sockets(), threading.Event()

    def open_and_close() -> None:
        while not over.is_set():
            world.open("ann").kill()

    opener = threading.Thread(target=open_and_close)
    opener.start()
    try:
        held = [number for number in range(FORKS) if forked() - before]
    finally:
        over.set()
        opener.join()
    assert not held, f"sockets of nodes in {len(held)} of {FORKS} children"


def forked() -> set[str]:
    """The sockets of a child that was forked just now."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, " ".join(sockets()).encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as said:
        found = set(said.read().split())
    os.waitpid(child, 0)
    return found


def forked_in_a_thread() -> set[str]:
    found: list[set[str]] = []
    thread = threading.Thread(target=lambda: found.append(forked()))
    thread.start()
    thread.join(SOON)
    return found[0]


LISTING = [sys.executable, "-c", "import support.forking as it; print(*it.sockets())"]


def executed(prepare: Callable[[], None] | None = None) -> set[str]:
    done = subprocess.run(LISTING, close_fds=False, preexec_fn=prepare, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def spawned_by_the_system() -> set[str]:
    reading, writing = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, writing, 1), (os.POSIX_SPAWN_CLOSE, reading)]
    child = os.posix_spawn(LISTING[0], LISTING, dict(os.environ), file_actions=actions)
    os.close(writing)
    with open(reading) as said:
        found = set(said.read().split())
    os.waitpid(child, 0)
    return found


def multiprocessed(method: str) -> set[str]:
    with multiprocessing.get_context(method).Pool(1) as pool:
        return pool.apply(sockets)


WAYS: dict[str, Callable[[], set[str]]] = {
    "os.fork": forked,
    "os.fork in a thread": forked_in_a_thread,
    "subprocess without close_fds": executed,
    "subprocess with preexec_fn": lambda: executed(lambda: time.sleep(0)),
    "os.posix_spawn": spawned_by_the_system,
    **{
        f"multiprocessing, {method}": lambda method=method: multiprocessed(method)  # type: ignore[misc]
        for method in ("fork", "spawn", "forkserver")
    },
}

if __name__ == "__main__":
    main(*sys.argv[1:])
