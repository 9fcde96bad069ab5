"""The node that an application on an event loop uses."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress

from swim_core import (
    BroadcastReceived,
    Contact,
    EventsLost,
    Evidence,
    Keys,
    Member,
    MemberPinged,
    NodeCrashed,
    NotRunning,
    State,
    Statistics,
    on_broadcast,
    on_status,
)
from swim_core.embedding.arguments import HostPort, read_seeds

from .base import BaseEngine
from .listeners import Call, Listener
from .subscription import Subscription

__all__ = ["AsyncNode", "leave_all"]


class AsyncNode:
    """A running node, made by `open_node`. Methods that never wait are not async.

    Outside the node's event loop everything raises `WrongThread`. Once the node is closed, its views show what it last
    knew, and everything else raises `NotRunning`. If the node failed, everything raises `NodeCrashed`.

    A call that is interrupted by an exception from a signal handler was carried out or not, and the node continues.
    With the driver "loop" it is carried out, or the node fails (`NodeCrashed`).
    """

    def __init__(self, engine: BaseEngine) -> None:
        self._engine = engine

    def __repr__(self) -> str:
        local = self._engine.core.local
        return f"<AsyncNode {local.name} at {local.address}>"

    @property
    def local(self) -> Member:
        """This node itself. ``local.address`` is where others reach it, with the real port if port 0 was asked for."""
        return self._engine.look(lambda core: core.local)

    def members(self, *, gone: bool = False) -> tuple[Member, ...]:
        """The live members (ALIVE, SUSPECT), this node included, by name; with ``gone`` also those DEAD or LEFT."""
        return self._engine.look(lambda core: core.members(gone=gone))

    def member(self, name: str) -> Member | None:
        """The member with that name, live or gone; None if it is unknown."""
        return self._engine.look(lambda core: core.member(name))

    def statistics(self) -> Statistics:
        """An immutable snapshot of counters and sizes."""
        return self._engine.look(lambda core: core.statistics())

    def explain(self, name: str) -> Evidence | None:
        """The evidence for a member's state: the verdict, and what this node observed. None for an unknown member."""
        return self._engine.look(lambda core: core.explain(name))

    def contact(self, name: str) -> Contact | None:
        """This node's own contact with a member: when it was heard, how long a ping took. None for an unknown member.

        `explain` says who declared it dead or suspect, and why.
        """
        return self._engine.look(lambda core: core.contact(name, now=self._engine.clock()))

    def subscribe(self, *, current: bool = False) -> Subscription:
        """Events from this call on: ``with node.subscribe() as events: async for event in events``.

        Args:
            current: begin with a `MemberJoined` for every other member that is live now. Nothing is missed, and nothing
                comes twice.
        """
        self._engine.check_running()
        return self._engine.subscribe(current=current)

    def add_listener(self, listener: Call, *, current: bool = False) -> Listener:
        """Call ``listener`` in the event loop with every event from now on, until the node is closed.

        The listener may be async, and may do anything with the node except end its block. It has a task of its own, in
        which it is called with one event at a time. Exceptions that it raises are logged. If it falls behind it loses
        events, as a subscription does; it gets `EventsLost`, and the loss is logged. If it is running at the end of the
        block, it is cancelled.

        Args:
            listener: a function of one event. Pass listeners that must miss nothing to `open_node`.
            current: first call it with a `MemberJoined` for every other member that is live now. Nothing is missed, and
                nothing comes twice.

        Returns:
            A handle; its ``remove()`` ends it.
        """
        added = Listener(self.subscribe(current=current), listener, self._engine.log)
        self._engine.spawn(added.run)
        return added

    def add_status_listener(
        self, listener: Callable[[Member, State], Awaitable[object] | object], *, current: bool = False
    ) -> Listener:
        """Call ``listener(member, state)`` when a member joins, is suspected, recovers, dies or leaves.

        See `add_listener`. With ``current`` it is first called for the members that are already there.
        """
        return self.add_listener(on_status(listener), current=current)

    def add_broadcast_listener(self, listener: Callable[[BroadcastReceived], Awaitable[object] | object]) -> Listener:
        """Call ``listener(broadcast)`` with every broadcast from another member. See `add_listener`."""
        return self.add_listener(on_broadcast(listener))

    async def wait_for_members(self, count: int) -> tuple[Member, ...]:
        """Wait until there are at least ``count`` live members, including this node, and return them.

        Limit the time with a cancel scope or `asyncio.timeout`.

        Raises:
            NotRunning: if the node is closed while waiting.
            NodeCrashed: if the node fails.
        """
        with self.subscribe() as events:
            while len(members := self.members()) < count:
                await events.get()
                events.clear()
        return members

    def broadcast(self, payload: bytes) -> int:
        """Send ``payload`` to every member, at most once each; returns its number, counted from 1 in each run.

        Raises:
            PayloadTooLarge: if it is larger than ``max_broadcast``; a smaller payload would be accepted.
            Overloaded: if too much is waiting to be sent; the same payload may be accepted later.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`.
        """
        return self._engine.act(lambda core, now: core.broadcast(payload, now=now))

    def send(self, to: str | Member, payload: bytes) -> None:
        """Send ``payload`` to one member, best effort. A name means its current run, a `Member` that very run.

        Raises:
            UnknownMember: if there is no such live member.
            PayloadTooLarge: if it is larger than ``max_broadcast``.
            NotSupported: always under Smudge's protocol, which has no messages to single members.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`.
        """
        self._engine.act(lambda core, now: core.send(to, payload, now=now))

    def update_metadata(self, metadata: Mapping[str, str]) -> None:
        """Replace this node's metadata and tell all members.

        Raises:
            PayloadTooLarge: if its packed size is larger than ``max_metadata``.
            NotSupported: always under Smudge's protocol, which carries no metadata.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`.
        """
        own = dict(metadata)  # a mapping of the application's has code of its own
        self._engine.act(lambda core, now: core.update_metadata(own, now=now))

    def join(self, seeds: str | Iterable[HostPort]) -> None:
        """Ask ``seeds``, which replace earlier ones, to let this node in, until each is a member. Doesn't wait.

        Names are resolved in the background, again before each attempt, and every ``join_backoff_max`` once all are
        members. A name that doesn't resolve is tried again after 1 to 60 seconds.

        Args:
            seeds: "host:port" or pairs, or one comma-separated string.

        Raises:
            ConfigError: if a seed is invalid.
            NotRunning: after `leave`.
        """
        self._engine.check_running()
        self._engine.join(read_seeds("join", seeds))

    async def ping(self, name: str) -> float | None:
        """Ping a member and wait for its answer; returns the round trip in seconds, None if none came in time.

        In time means within the probe timeout (at most `Config.max_probe_timeout`). If no answer comes, the member is
        investigated as after any missed probe.

        Raises:
            UnknownMember: if there is no such other member, live or gone.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`, or if the node is closed while waiting.
            NodeCrashed: if the node fails while waiting.
        """
        with self.subscribe() as events:
            while True:
                self._engine.act(lambda core, now: core.ping(name, now=now))
                while not isinstance(event := await events.get(), EventsLost):
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
            NotRunning: after `leave`.
        """
        self._engine.act(lambda core, now: core.remove(name, now=now))

    def set_state(self, name: str, state: State) -> None:
        """Set a member's state and tell the others, as Smudge's protocol allows. A live member will refute it.

        Raises:
            NotSupported: always under the native protocol, whose verdicts rest on evidence.
            ConfigError: if the state is LEFT.
            UnknownMember: if there is no such other member.
            NotRunning: after `leave`.
        """
        self._engine.act(lambda core, now: core.set_state(name, state, now=now))

    def set_keys(self, keys: Keys | str | Iterable[str]) -> None:
        """Hold other keys from now on, the preferred one first; docs/keys.md says how to rotate them.

        A node that was opened with ``key_file`` does this by itself when the file changes.

        Raises:
            ConfigError: if they can't be used, or this node was opened without keys.
            NotSupported: always under Smudge's protocol, which can't be sealed.
            NotRunning: after `leave` or `close`.
        """
        held = Keys.of(keys)
        self._engine.act(lambda core, now: core.set_keys(held, now=now))

    async def leave(self) -> None:
        """Say goodbye, and wait until it was said often enough (about 250 ms). The end of the block does this too.

        This can't be undone.

        Raises:
            NodeCrashed: if the node fails while waiting.
        """
        self._engine.leave()
        await self._engine.left.wait()
        if self._engine.failure is not None:
            self._engine.check_running()


async def leave_all(nodes: Iterable[AsyncNode]) -> None:
    """Let all ``nodes`` leave at the same time, in 250 ms however many there are. Their blocks then end at once.

    Use it with a `contextlib.AsyncExitStack` of many nodes, which would end their blocks one after the other. Nodes
    that are already closed, or that fail, are left to their blocks.
    """
    leaving = []
    for node in nodes:
        with suppress(NotRunning, NodeCrashed):
            node._engine.leave()
            leaving.append(node)
    for node in leaving:
        with suppress(NotRunning, NodeCrashed):
            await node.leave()
