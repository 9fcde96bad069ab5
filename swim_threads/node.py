"""The node of this adapter: what `open_node` returns."""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self

from swim_core import (
    BroadcastReceived,
    Contact,
    Event,
    EventsLost,
    Evidence,
    Keys,
    Member,
    MemberPinged,
    NodeCrashed,
    NotRunning,
    ProtocolNode,
    State,
    Statistics,
    on_broadcast,
    on_status,
)
from swim_core.embedding.arguments import HostPort, read_seeds

from . import open_nodes
from .engine import Engine, clock
from .listeners import Dispatcher, Listener
from .logs import HASTE, PATIENCE, Log, log_writer
from .own_address import OwnAddress
from .resolver import Seed
from .sockets.multicast import MulticastSocket
from .sockets.tcp import TcpListener
from .sockets.udp import UdpSocket
from .subscription import Subscription

__all__ = ["ThreadNode"]


class ThreadNode:
    """A running member of a cluster, made by `open_node`. Any thread may use it.

    A signal handler must not use it, since it may have interrupted a call that holds the node's lock: raise an
    exception there, or set an event. A call that is interrupted in this way was carried out or not, and the node
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
        self._engine = Engine(
            node,
            sock,
            own_address=own_address,
            multicast=multicast,
            listener=listener,
            backoff_max=backoff_max,
            log=log,
        )
        self._dispatcher = Dispatcher(self._engine, event_buffer)
        try:
            for call in listeners:  # before there is anything to tell
                self._dispatcher.add(call, current=False)
            self._engine.start()
            open_nodes.add(self)
            if seeds:
                self._engine.join(seeds)
        except BaseException:
            self._stop()
            raise

    # views

    @property
    def local(self) -> Member:
        """This node itself. ``local.address`` is where others reach it, with the real port if port 0 was asked for."""
        return self._engine.look(lambda node: node.local)

    def members(self, *, gone: bool = False) -> tuple[Member, ...]:
        """The live members (ALIVE, SUSPECT), this node included, by name; with ``gone`` also those DEAD or LEFT."""
        return self._engine.look(lambda node: node.members(gone=gone))

    def member(self, name: str) -> Member | None:
        """The member with that name, live or gone; None if it is unknown."""
        return self._engine.look(lambda node: node.member(name))

    def statistics(self) -> Statistics:
        """A snapshot of counters and sizes."""
        return self._engine.look(lambda node: node.statistics())

    def explain(self, name: str) -> Evidence | None:
        """The evidence for a member's state: the verdict, and what this node observed. None for an unknown member."""
        return self._engine.look(lambda node: node.explain(name))

    def contact(self, name: str) -> Contact | None:
        """This node's own contact with a member: when it was heard, how long a ping took. None for an unknown member.

        `explain` says who declared it dead or suspect, and why.
        """
        return self._engine.look(lambda node: node.contact(name, now=clock()))

    # intents

    def join(self, seeds: str | Iterable[HostPort]) -> None:
        """Ask ``seeds``, which replace earlier ones, to let this node in, until each is a member. Doesn't wait.

        Args:
            seeds: addresses or names, as in `open_node`. Names are resolved in the background, again before each
                attempt, and every ``join_backoff_max`` once all are members.

        Raises:
            ConfigError: if a seed is invalid.
            NotRunning: after `leave` or `close`.
        """
        self._engine.join(read_seeds("join", seeds))

    def broadcast(self, payload: bytes) -> int:
        """Send ``payload`` to every member, at most once each; returns its number, counted from 1 in each run.

        Raises:
            PayloadTooLarge: if it is larger than ``max_broadcast``; a smaller payload would be accepted.
            Overloaded: if too much is waiting to be sent; the same payload may be accepted later.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave` or `close`.
        """
        return self._engine.act(lambda node, now: node.broadcast(payload, now=now))

    def send(self, to: str | Member, payload: bytes) -> None:
        """Send ``payload`` to one member, best effort. A name means its current run, a `Member` that very run.

        Raises:
            UnknownMember: if there is no such live member.
            PayloadTooLarge: if it is larger than ``max_broadcast``.
            NotSupported: always under Smudge's protocol, which has no messages to single members.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave` or `close`.
        """
        self._engine.act(lambda node, now: node.send(to, payload, now=now))

    def update_metadata(self, metadata: Mapping[str, str]) -> None:
        """Replace this node's metadata (strings, at most ``max_metadata`` bytes packed) and tell everyone.

        Raises:
            PayloadTooLarge: if it is too large.
            NotSupported: always under Smudge's protocol, which carries no metadata.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave` or `close`.
        """
        own = dict(metadata)  # a mapping of the application's has code of its own
        self._engine.act(lambda node, now: node.update_metadata(own, now=now))

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

    def remove(self, name: str) -> None:
        """Forget a member, on this node only; `MemberForgotten` follows.

        Under the native protocol the member must be DEAD or LEFT, since a live one would come back with the next news
        of it; it is not tried again. Under Smudge's protocol it may be any, and stays forgotten until it is heard or
        newer news of it arrives.

        Raises:
            UnknownMember: if there is no such other member, or (native protocol) it is live.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave` or `close`.
        """
        self._engine.act(lambda node, now: node.remove(name, now=now))

    def set_state(self, name: str, state: State) -> None:
        """Set a member's state and tell the others, as Smudge's protocol allows. A live member will refute it.

        Raises:
            NotSupported: always under the native protocol, whose verdicts rest on evidence.
            ConfigError: if the state is LEFT.
            UnknownMember: if there is no such other member.
            NotRunning: after `leave` or `close`.
        """
        self._engine.act(lambda node, now: node.set_state(name, state, now=now))

    def set_keys(self, keys: Keys | str | Iterable[str]) -> None:
        """Hold other keys from now on, the preferred one first; docs/keys.md says how to rotate them.

        A node that was opened with ``key_file`` does this by itself when the file changes.

        Raises:
            ConfigError: if they can't be used, or this node was opened without keys.
            NotSupported: always under Smudge's protocol, which can't be sealed.
            NotRunning: after `leave` or `close`.
        """
        held = Keys.of(keys)
        self._engine.act(lambda node, now: node.set_keys(held, now=now))

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
        """Wait until there are at least ``count`` live members, including this node, and return them.

        Args:
            count: how many, counted as `members` does.
            timeout: seconds; None waits for as long as it takes.

        Raises:
            TimeoutError: if there were fewer all that time.
            NotRunning: if the node is closed while waiting.
        """
        engine = self._engine

        def enough() -> tuple[Member, ...] | None:
            engine.check_running()
            members = engine.node.members()
            return members if len(members) >= count else None

        members = engine.changed.wait_for(enough, timeout)
        if members is None:
            raise TimeoutError(f"{len(self.members())} of {count} members after {timeout} s")
        return members

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
            NotRunning: after `close`.
        """
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
        finally:  # also when a second Ctrl-C ends the wait
            self._stop(hasty=not wait)

    def _stop(self, *, hasty: bool = True) -> None:
        if self._engine.forked:
            return
        self._engine.stop()
        self._dispatcher.join(hasty=hasty)
        log_writer.flush(HASTE if hasty else PATIENCE)
        open_nodes.discard(self)
