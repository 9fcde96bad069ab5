"""The node that an application on an event loop uses."""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from swim_core import (
    BroadcastReceived,
    EventsLost,
    Member,
    MemberPinged,
    NodeCrashed,
    NotRunning,
    State,
    on_broadcast,
    on_status,
)
from swim_core.embedding.gathering import Gathering
from swim_core.embedding.node_face import NodeFace
from swim_core.listeners import check_listener

from .base import BaseEngine
from .listeners import Call, Listener
from .subscription import Subscription

__all__ = ["AsyncNode", "leave_all"]


class AsyncNode(NodeFace[BaseEngine]):
    """A running node, made by `open_node`. Methods that never wait are not async.

    With the driver "thread", the default, any thread may read its views: ``local``, `members`, `member`, `statistics`,
    `explain`, `contact`. Everything else raises `WrongThread` outside the node's event loop. Once the node is closed,
    its views show what it last knew, and everything else raises `NotRunning`. If the node failed, everything raises
    `NodeCrashed`.

    A call that an exception from a signal handler interrupts may or may not be carried out; the node continues.
    With the driver "loop" it is carried out, or the node fails (`NodeCrashed`).
    """

    def __repr__(self) -> str:
        local = self._engine.core.local
        return f"<AsyncNode {local.name} at {local.address}>"

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

        Raises:
            ConfigError: if it isn't a function.
        """
        check_listener(listener)
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
        """Wait until there are at least ``count`` live members, including this node, and return those of that moment.

        No such moment is missed, however briefly it lasts; so some of them may be gone by now. Limit the
        time with a cancel scope or `asyncio.timeout`.

        Raises:
            NotRunning: if the node is closed while waiting.
            NodeCrashed: if the node fails.
        """
        with self.subscribe() as events:
            gathering = Gathering(count, self.members)
            while not gathering.enough:
                gathering.take(await events.get())
        return gathering.members

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
