"""The one door to what the faces of nodes don't show: for set-ups that no input brings about, and for benchmarks.

A test that can see what it checks on the face of a node (its views, events, statistics, datagrams) doesn't come here.
"""

import threading
from typing import overload

from swim_anyio import AsyncNode
from swim_anyio.base import BaseEngine
from swim_anyio.engine import Engine as LoopEngine
from swim_anyio.threaded import ThreadedEngine
from swim_core import Node, ProtocolNode
from swim_core.native.parts import Parts
from swim_core.smudge import SmudgeNode
from swim_core.smudge.parts import Parts as SmudgeParts
from swim_threads import ThreadNode
from swim_threads.driver import Driver, TurnEngine
from swim_threads.engine import Engine
from swim_threads.sockets.tripwires import Tripwires
from swim_threads.sockets.udp import UdpSocket

__all__ = [
    "engine_of",
    "group_descriptor",
    "parts_of",
    "protocol_thread",
    "sleeps_until",
    "smudge_parts_of",
    "socket_of",
    "thread_engine_of",
    "tripwires_of",
    "wake",
]


def parts_of(node: ProtocolNode) -> Parts:
    """The parts of a node, which must be a native one."""
    assert isinstance(node, Node)
    return node._parts


def smudge_parts_of(node: ProtocolNode) -> SmudgeParts:
    """The parts of a node that speaks Smudge's protocol."""
    assert isinstance(node, SmudgeNode)
    return node._parts


@overload
def engine_of(node: ThreadNode) -> Engine: ...
@overload
def engine_of(node: AsyncNode) -> BaseEngine: ...
@overload
def engine_of(node: Driver) -> TurnEngine: ...
def engine_of(node: ThreadNode | AsyncNode | Driver) -> Engine | BaseEngine | TurnEngine:
    """What runs a node of an adapter. Its ``act`` changes the protocol's node at a moment of the test's choosing."""
    return node._engine


def thread_engine_of(node: ThreadNode | AsyncNode) -> Engine:
    """The engine of a node's protocol thread, whichever adapter it belongs to."""
    engine = node._engine
    if isinstance(engine, ThreadedEngine):
        engine = engine._engine
    assert isinstance(engine, Engine)
    return engine


def socket_of(node: ThreadNode | AsyncNode | Driver) -> UdpSocket:
    """The socket of a node's datagrams, whatever runs it: for what a kernel or a program may do to it."""
    if isinstance(node, Driver):
        return engine_of(node).socket
    engine = node._engine
    sock = engine._socket if isinstance(engine, LoopEngine) else thread_engine_of(node)._pump.socket
    assert isinstance(sock, UdpSocket)
    return sock


def group_descriptor(node: ThreadNode) -> int:
    """The file descriptor of the socket that hears a node's multicast group; -1 once it is closed."""
    multicast = node._engine._pump._multicast
    assert multicast is not None
    return multicast.fileno()


def tripwires_of(node: ThreadNode) -> Tripwires:
    """The connections of a node, those that others made to it included."""
    tripwires = node._engine._pump._tripwires
    assert tripwires is not None
    return tripwires


def protocol_thread(node: ThreadNode | AsyncNode) -> threading.Thread:
    """The thread of a node's protocol, found by its name: only one node of that name may run."""
    (thread,) = [thread for thread in threading.enumerate() if thread.name == f"swim {node.local.name}"]
    return thread


def sleeps_until(node: ThreadNode) -> float:
    """When the protocol thread means to wake up by itself."""
    return node._engine._sleeps_until


def wake(node: ThreadNode) -> None:
    """Wake the protocol thread, as if something had arrived that is not there any more."""
    node._engine._poller.wake()
