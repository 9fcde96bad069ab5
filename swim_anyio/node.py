"""What an application holds of a node that runs on its event loop."""

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
    """A running node; `open_node` gives it. What never waits is not async.

    Everything raises `WrongThread` outside the node's event loop. Once the node is closed the views show its
    last moment, and what acts raises `NotRunning`. If the node failed everything raises `NodeCrashed`.

    A call that an exception of a signal handler interrupts was done or not done, and the node goes on. With the driver
    "loop" it is done, or the node fails (`NodeCrashed`).
    """

    def __init__(self, engine: BaseEngine) -> None:
        self._engine = engine

    def __repr__(self) -> str:
        local = self._engine.core.local
        return f"<AsyncNode {local.name} at {local.address}>"

    @property
    def local(self) -> Member:
        """This node itself; ``local.address`` is where others reach it, its port resolved."""
        return self._engine.look(lambda core: core.local)

    def members(self, *, gone: bool = False) -> tuple[Member, ...]:
        """The live members (ALIVE, SUSPECT), this node included, by name; with ``gone`` DEAD and LEFT ones too."""
        return self._engine.look(lambda core: core.members(gone=gone))

    def member(self, name: str) -> Member | None:
        """The member of that name, live or gone, or None."""
        return self._engine.look(lambda core: core.member(name))

    def statistics(self) -> Statistics:
        """Counters and sizes of this moment, immutable."""
        return self._engine.look(lambda core: core.statistics())

    def explain(self, name: str) -> Evidence | None:
        """What stands behind the state of a member: the verdict, and what was observed here. None if unknown."""
        return self._engine.look(lambda core: core.explain(name))

    def contact(self, name: str) -> Contact | None:
        """What this node has had to do with another member: when it was heard, how long a ping took. None if unknown.

        Who judged it, and why, `explain` says.
        """
        return self._engine.look(lambda core: core.contact(name, now=self._engine.clock()))

    def subscribe(self, *, current: bool = False) -> Subscription:
        """Events from this call on: ``with node.subscribe() as events: async for event in events``.

        Args:
            current: first yield `MemberJoined` for every other live member of this instant, so that nothing
                is missed or doubled.
        """
        self._engine.check_running()
        return self._engine.subscribe(current=current)

    def add_listener(self, listener: Call, *, current: bool = False) -> Listener:
        """Have the event loop call ``listener`` with every event from now on, until the node is closed.

        It may be async, and may use the node in any way but leave the block. Each is called one event at a time, in a
        task of its own; what they raise is logged. One that falls behind loses events as a subscription does: it
        is told (`EventsLost`), and it is logged. One that is running at the end of the block is cancelled.

        Args:
            listener: what to call; `open_node` takes those that are to miss none.
            current: first call it with a `MemberJoined` for every other live member of this moment, so that nothing
                is missed and nothing told twice.

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

        See `add_listener`; with ``current`` it is first called for those who are there.
        """
        return self.add_listener(on_status(listener), current=current)

    def add_broadcast_listener(self, listener: Callable[[BroadcastReceived], Awaitable[object] | object]) -> Listener:
        """Call ``listener(broadcast)`` with every broadcast of another member. See `add_listener`."""
        return self.add_listener(on_broadcast(listener))

    async def wait_for_members(self, count: int) -> tuple[Member, ...]:
        """Wait until there are at least ``count`` live members, this node included, and return them.

        Bound it with a cancel scope, or `asyncio.timeout`.

        Raises:
            NotRunning: if the node is closed meanwhile.
            NodeCrashed: if it fails.
        """
        with self.subscribe() as events:
            while len(members := self.members()) < count:
                await events.get()
                events.clear()
        return members

    def broadcast(self, payload: bytes) -> int:
        """Tell every member ``payload``, at most once each; returns its number, from 1 in this run.

        Raises:
            PayloadTooLarge: if it is over ``max_broadcast``: a smaller one would do.
            Overloaded: if too much waits to be sent already: the same payload can be told later.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`.
        """
        return self._engine.act(lambda core, now: core.broadcast(payload, now=now))

    def send(self, to: str | Member, payload: bytes) -> None:
        """Tell one member ``payload``, best effort: a name means whichever run lives, a `Member` that run only.

        Raises:
            UnknownMember: if there is no such live member.
            PayloadTooLarge: if it is over ``max_broadcast``.
            NotSupported: always under Smudge's protocol, which has no messages to single members.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`.
        """
        self._engine.act(lambda core, now: core.send(to, payload, now=now))

    def update_metadata(self, metadata: Mapping[str, str]) -> None:
        """Replace this node's metadata and tell everyone.

        Raises:
            PayloadTooLarge: if it is over ``max_metadata``, packed.
            NotSupported: always under Smudge's protocol, which carries no metadata.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`.
        """
        own = dict(metadata)  # a mapping of the application's has code of its own
        self._engine.act(lambda core, now: core.update_metadata(own, now=now))

    def join(self, seeds: str | Iterable[HostPort]) -> None:
        """Ask ``seeds`` to let this node in, again and again until each is a live member's. Replaces earlier seeds.

        Names are resolved in the background, again before each attempt, and every ``join_backoff_max`` when all are
        members; one that can't be is tried again after 1 to 60 seconds.

        Args:
            seeds: "host:port" or pairs, also as one comma-separated string.

        Raises:
            ConfigError: if one can't be an address.
            NotRunning: after `leave`.
        """
        self._engine.check_running()
        self._engine.join(read_seeds("join", seeds))

    async def ping(self, name: str) -> float | None:
        """Ping a member and wait for its answer; returns the round trip in seconds, None if none came in time.

        In time means within the probe timeout (`Config.max_probe_timeout` at most). No answer is looked into
        like that of any other probe.

        Raises:
            UnknownMember: if there is no such other member, live or gone.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`, or if the node is closed meanwhile.
            NodeCrashed: if it fails meanwhile.
        """
        with self.subscribe() as events:
            while True:
                self._engine.act(lambda core, now: core.ping(name, now=now))
                while not isinstance(event := await events.get(), EventsLost):
                    if isinstance(event, MemberPinged) and event.member.name == name:
                        return event.round_trip

    def remove(self, name: str) -> None:
        """Forget a member, here only; `MemberForgotten` follows.

        Under the native protocol only one that is DEAD or LEFT, since a live one would come back with the next
        word of it; it is not tried again. Under Smudge's any, until it shows itself or later news of it come.

        Raises:
            UnknownMember: if there is no such other member, or (native protocol) it is live.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`.
        """
        self._engine.act(lambda core, now: core.remove(name, now=now))

    def set_state(self, name: str, state: State) -> None:
        """Force a member's state and tell the others, which Smudge's protocol allows; if it lives it will object.

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
        """Say goodbye and wait until it was said often enough, about 250 ms. Final; the end of the block does it too.

        Raises:
            NodeCrashed: if the node fails meanwhile.
        """
        self._engine.leave()
        await self._engine.left.wait()
        if self._engine.failure is not None:
            self._engine.check_running()


async def leave_all(nodes: Iterable[AsyncNode]) -> None:
    """Have ``nodes`` leave, all at the same time: 250 ms, however many they are. Their blocks end at once then.

    For an `contextlib.AsyncExitStack` with many of them, which ends their blocks one after the other. Nodes that are
    closed already, or fail, are left to their blocks.
    """
    leaving = []
    for node in nodes:
        with suppress(NotRunning, NodeCrashed):
            node._engine.leave()
            leaving.append(node)
    for node in leaving:
        with suppress(NotRunning, NodeCrashed):
            await node.leave()
