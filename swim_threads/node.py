"""The node of this adapter: what `open_node` returns."""

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from math import inf
from types import TracebackType
from typing import Self

from swim_core import (
    BroadcastReceived,
    Event,
    EventsLost,
    Member,
    MemberPinged,
    NodeCrashed,
    NotRunning,
    ProtocolNode,
    State,
    on_broadcast,
    on_status,
)
from swim_core.embedding.gathering import Gathering
from swim_core.embedding.node_face import NodeFace
from swim_core.listeners import check_listener

from . import open_nodes
from .engine import Engine
from .listeners import Dispatcher, Listener
from .logs import HASTE, PATIENCE, Log, log_writer
from .own_address import OwnAddress
from .resolver import Seed
from .sockets.multicast import MulticastSocket
from .sockets.tcp import TcpListener
from .sockets.udp import UdpSocket
from .subscription import Subscription

__all__ = ["ThreadNode"]


class ThreadNode(NodeFace[Engine]):
    """A running member of a cluster, made by `open_node`. Any thread may use it.

    A signal handler must not use it, since it may have interrupted a call that holds the node's lock: raise an
    exception there, or set an event. A call that is interrupted in this way may or may not be carried out; the node
    continues.

    The node is also a context manager. A normal end of the block says goodbye for 250 ms; an exception says it once,
    without waiting; both close the node. After that its views show what it last knew, and everything else raises
    NotRunning. If the protocol itself fails, everything but `close` raises NodeCrashed with the cause chained. In a
    process forked from this one everything but `close` raises NotRunning.
    """

    def __init__(
        self,
        node: ProtocolNode,
        sock: UdpSocket,
        *,
        seeds: Sequence[Seed],
        event_buffer: int,
        own_address: OwnAddress | None = None,
        backoff_max: float,
        multicast: MulticastSocket | None = None,
        listener: TcpListener | None = None,
        listeners: Iterable[Callable[[Event], object]] = (),
        log: Log | None = None,
    ) -> None:
        """Use `open_node` instead. The node takes over the sockets."""
        self._event_buffer = event_buffer
        engine = Engine(
            node,
            sock,
            own_address=own_address,
            multicast=multicast,
            listener=listener,
            backoff_max=backoff_max,
            log=log,
        )
        super().__init__(engine)
        self._dispatcher = Dispatcher(self._engine, event_buffer)
        try:
            for call in listeners:  # before there are any events
                self._dispatcher.add(call, current=False)
            self._engine.start()
            open_nodes.add(self)
            if seeds:
                self._engine.join(seeds)
        except BaseException:
            self._stop()
            raise

    # what waits: see `NodeFace` for what doesn't

    def ping(self, name: str) -> float | None:
        """Ping a member and wait for its answer; returns the round trip in seconds, None if none came in time.

        In time means within the probe timeout (at most `Config.max_probe_timeout`). If no answer comes, the member is
        investigated as after any missed probe. Listeners must not call it, since it waits for events that come after
        theirs.

        Raises:
            UnknownMember: if there is no such other member, live or gone.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`, or if the node is closed while waiting.
        """
        with self.subscribe() as events:
            while True:
                self._engine.act(lambda node, now: node.ping(name, now=now))
                while not isinstance(event := events.get(), EventsLost):
                    if isinstance(event, MemberPinged) and event.member.name == name:
                        return event.round_trip

    def leave(self) -> None:
        """Say goodbye, and return once it was said often enough (250 ms), or at once if there is nobody to hear it.

        This can't be undone, but the node keeps answering until `close`. A second call does nothing more.

        Raises:
            NotRunning: after `close`.
        """
        self._engine.leave(wait=True)

    def close(self) -> None:
        """Leave, then end all threads and close the socket. Listeners may call it too. A second call does nothing.

        No further listener is called. The call waits at most a second for a listener that is running, and as long for
        log lines that are still to be written.
        """
        self._close(wait=True)

    # waiting and listening

    def wait_for_members(self, count: int, timeout: float | None = None) -> tuple[Member, ...]:
        """Wait until there are at least ``count`` live members, including this node, and return those of that moment.

        No such moment is missed, however briefly it lasts; so some of them may be gone by now.

        Args:
            count: how many, counted as `members` does.
            timeout: seconds; None waits for as long as it takes.

        Raises:
            TimeoutError: if there were fewer all that time.
            NotRunning: if the node is closed while waiting.
        """
        deadline = inf if timeout is None else time.monotonic() + timeout
        with self.subscribe() as events:
            gathering = Gathering(count, self.members)
            while not gathering.enough:
                remaining = deadline - time.monotonic()
                try:
                    gathering.take(events.get(None if remaining == inf else max(0.0, remaining)))
                except TimeoutError:
                    raise TimeoutError(f"{len(self.members())} of {count} members after {timeout} s") from None
        return gathering.members

    def subscribe(self, *, current: bool = False) -> Subscription:
        """A queue of all events from now on. Close it, or use it in a ``with`` statement.

        Args:
            current: begin with a `MemberJoined` for every other member that is live now. Nothing is missed, and nothing
                comes twice.

        Raises:
            NotRunning: after `close`.
        """
        return Subscription(self._engine, self._event_buffer, current=current)

    def add_listener(self, listener: Callable[[Event], object], *, current: bool = False) -> Listener:
        """Call ``listener`` with every event from now on. Pass listeners that must miss nothing to `open_node`.

        Listeners are called one at a time, in a thread of their own, and may use the node in any way. Exceptions that
        they raise are logged. A listener that falls behind loses events, as a subscription does; it gets `EventsLost`,
        and the loss is logged.

        Args:
            listener: a function of one event.
            current: first call it with a `MemberJoined` for every other member that is live now. Nothing is missed, and
                nothing comes twice.

        Returns:
            A handle; its ``remove()`` ends it.

        Raises:
            ConfigError: if it isn't a function.
            NotRunning: after `close`.
        """
        check_listener(listener)
        return self._dispatcher.add(listener, current=current)

    def add_status_listener(self, listener: Callable[[Member, State], object], *, current: bool = False) -> Listener:
        """Call ``listener(member, state)`` when a member joins, is suspected, recovers, dies or leaves.

        See `add_listener`. With ``current`` it is first called for the members that are already there.
        """
        return self._dispatcher.add(on_status(listener), current=current)

    def add_broadcast_listener(self, listener: Callable[[BroadcastReceived], object]) -> Listener:
        """Call ``listener(broadcast)`` with every broadcast from another member. See `add_listener`."""
        return self._dispatcher.add(on_broadcast(listener), current=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close(wait=kind is None)
        if kind is None and not self._engine.forked:
            self._engine.check_usable()

    def __repr__(self) -> str:
        local = self._engine.node.local
        return f"<ThreadNode {local.name!r} at {local.address}{' (closed)' if self._engine.ended else ''}>"

    # beneath

    def say_goodbye(self, *, wait: bool = False) -> None:
        """Leave, whatever the state, by default without waiting."""
        with contextlib.suppress(NotRunning, NodeCrashed):
            self._engine.leave(wait=wait)

    def _close(self, *, wait: bool) -> None:
        try:
            self.say_goodbye(wait=wait)
        finally:  # even when a second Ctrl-C ends the wait
            self._stop(hasty=not wait)

    def _stop(self, *, hasty: bool = True) -> None:
        if self._engine.forked:
            return
        self._engine.stop()
        self._dispatcher.join(hasty=hasty)
        log_writer.flush(HASTE if hasty else PATIENCE)
        open_nodes.discard(self)
