"""The one door to what the faces of nodes don't show: for set-ups that no input brings about, and for benchmarks.

A test that can see what it checks on the face of a node (its views, events, statistics, datagrams) doesn't come here.
"""

import threading
from socket import socket
from typing import overload

from swim_anyio import AsyncNode, Subscription
from swim_anyio.base import BaseEngine
from swim_anyio.command.handlers import Handlers
from swim_anyio.engine import Engine as LoopEngine
from swim_anyio.threaded import ThreadedEngine
from swim_core import Node, ProtocolNode
from swim_core.native.parts import Parts
from swim_core.native.tools.client import ToolClient
from swim_core.smudge import SmudgeNode
from swim_core.smudge.parts import Parts as SmudgeParts
from swim_threads import ThreadNode
from swim_threads.driver import Driver
from swim_threads.engine import Engine
from swim_threads.sockets.tripwires import Tripwires
from swim_threads.sockets.udp import UdpSocket
from swim_threads.turn_engine import TurnEngine

__all__ = [
    "accepted_sockets",
    "awaits_an_event",
    "calls_of_loop",
    "cursor_of",
    "end_abruptly",
    "engine_of",
    "feed_no_more",
    "group_descriptor",
    "kept_sockets",
    "nonce_of",
    "parts_of",
    "prefer_source",
    "protocol_thread",
    "rewind",
    "sleeps_until",
    "smudge_parts_of",
    "socket_of",
    "take_epoch",
    "thread_engine_of",
    "tripwires_of",
    "waits_left",
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


def waits_left(node: ThreadNode) -> int:
    """How many threads wait for the node's state to change, by its own count."""
    return len(node._engine.changed._bells)


def end_abruptly(node: AsyncNode) -> None:
    """End a node without a goodbye, as if its process had been killed."""
    engine_of(node)._end()


def calls_of_loop(node: AsyncNode) -> list[object]:
    """A list that gets an entry each time a node's thread calls its loop from now on."""
    engine, calls = engine_of(node), []
    assert isinstance(engine, ThreadedEngine)
    post = engine._post

    def counted(callback: object) -> None:
        calls.append(callback)
        post(engine._catch_up)

    engine._post = counted
    return calls


def awaits_an_event(events: Subscription) -> bool:
    """Whether a task waits for the next event."""
    return events._arrival is not None


def feed_no_more(handlers: Handlers) -> None:
    """Have ``serve`` return once all the records that were taken have been dealt with."""
    handlers._send.close()


def kept_sockets(tripwires: Tripwires) -> list[socket]:
    """The connections that a node keeps to others."""
    return [wire.dial.sock for wire in tripwires._wires.values()]


def accepted_sockets(tripwires: Tripwires) -> list[socket]:
    """The connections that others keep to a node."""
    return [connection.sock for connection in tripwires.inbound._connections.values()]


def prefer_source(sock: UdpSocket, host: str) -> None:
    """Send from ``host`` from now on, whether or not the machine has that address."""
    assert sock._sources is not None
    sock._sources.prefer(host)


def take_epoch(node: ProtocolNode, epoch: int, now: float) -> None:
    """Give a node the epoch of another process, as a clone of a running machine has it."""
    parts_of(node).local._put(epoch, 0, now)


def nonce_of(client: ToolClient) -> int:
    """The nonce of the question under way, which its next datagram states; here before that is drawn."""
    return client._nonce


def cursor_of(client: ToolClient) -> int:
    """Where the page begins for which a tool asked last; for an order that is its cookie."""
    return client._cursor


def rewind(client: ToolClient, cursor: int, now: float) -> None:
    """Have a tool that has sent nothing yet ask for the page that begins at ``cursor``."""
    client._out.clear()
    client._prepare(cursor)
    client._next = now
    client.feed_tick(now=now)
