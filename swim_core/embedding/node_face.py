"""The verbs and views of a node that don't wait, written and documented once for all adapters.

An adapter's node inherits them and adds those that wait: leaving, pinging, subscriptions. Its engine knows when a node
may be looked at and changed, and sends what the node then has to say.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, Protocol, TypeVar

from swim_core.errors import ConfigError
from swim_core.events import Evidence, Past
from swim_core.keys import Keys
from swim_core.member import Contact, Member, State
from swim_core.protocol import ProtocolNode
from swim_core.statistics import Statistics

from .host_port import HostPort, read_seeds

__all__ = ["NodeEngine", "NodeFace"]

T = TypeVar("T")


class NodeEngine(Protocol):
    """What runs a node, as far as its face uses it."""

    def look(self, question: Callable[[ProtocolNode], T], /) -> T:
        """The answer of ``question`` about the node."""

    def act(self, deed: Callable[[ProtocolNode, float], T], /) -> T:
        """Have ``deed`` change the node, at the time passed to it, and send what the node then has to say."""

    def join(self, seeds: Iterable[tuple[str, int]], /) -> None:
        """Have the node ask these seeds instead of earlier ones."""

    def clock(self) -> float:
        """Seconds on the node's clock."""


E = TypeVar("E", bound=NodeEngine)


class NodeFace(Generic[E]):
    """What an application can do with its node, and see of it, without waiting."""

    __slots__ = ("_engine",)

    def __init__(self, engine: E) -> None:
        self._engine = engine

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
        return self._engine.look(lambda node: node.contact(name, now=self._engine.clock()))

    def history(self, *, since: int = 0) -> tuple[Past, ...]:
        """What happened to members lately, oldest first, from `Past.number` ``since`` on.

        The last 512 verdicts and 256 other changes are kept, whether or not anybody takes events.
        """
        return self._engine.look(lambda node: node.history(since=since))

    def rings(self) -> tuple[tuple[str, ...], ...]:
        """The names of the live members in the order of each ring along which news floods; empty under Smudge's
        protocol."""
        return self._engine.look(lambda node: node.rings())

    # intents

    def join(self, seeds: HostPort | Iterable[HostPort]) -> None:
        """Ask ``seeds``, which replace earlier ones, to let this node in, until each is a member. Doesn't wait.

        Names are resolved in the background, again before each attempt, and every ``join_backoff_max`` once all are
        members. A name that doesn't resolve is tried again after 1 to 60 seconds.

        Args:
            seeds: "host:port" or pairs, or one comma-separated string, as in `open_node`.

        Raises:
            ConfigError: if a seed is invalid.
            NotRunning: after `leave`, or if the node is closed.
        """
        self._engine.join(read_seeds("join", seeds))

    def broadcast(self, payload: bytes) -> int:
        """Send ``payload`` to every member, at most once each; returns its number, counted from 1 in each run.

        Raises:
            PayloadTooLarge: if it is larger than ``max_broadcast``; a smaller payload would be accepted.
            Overloaded: if too much is waiting to be sent; the same payload may be accepted later.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`, or if the node is closed.
        """
        return self._engine.act(lambda node, now: node.broadcast(payload, now=now))

    def send(self, to: str | Member, payload: bytes) -> None:
        """Send ``payload`` to one member, best effort. A name means its current run, a `Member` exactly that run.

        Raises:
            UnknownMember: if there is no such live member.
            PayloadTooLarge: if it is larger than ``max_broadcast``.
            NotSupported: always under Smudge's protocol, which has no messages to single members.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`, or if the node is closed.
        """
        self._engine.act(lambda node, now: node.send(to, payload, now=now))

    def update_metadata(self, metadata: Mapping[str, str]) -> None:
        """Replace all of this node's metadata (strings, at most ``max_metadata`` bytes packed) and tell all members.

        To change one key and keep the others, pass ``{**node.local.metadata, key: value}``.

        Raises:
            ConfigError: if it doesn't map strings to strings.
            PayloadTooLarge: if it is too large.
            NotSupported: always under Smudge's protocol, which carries no metadata.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`, or if the node is closed.
        """
        if not isinstance(metadata, Mapping):
            raise ConfigError(f"metadata must map strings to strings, not be {metadata!r}")
        own = dict(metadata)  # a mapping may be a class of the application's, with code of its own
        self._engine.act(lambda node, now: node.update_metadata(own, now=now))

    def remove(self, name: str) -> None:
        """Forget a member, on this node only; `MemberForgotten` follows.

        Under the native protocol the member must be DEAD or LEFT, since a live one would come back with the next news
        of it; it is not tried again. Under Smudge's protocol it may be in any state, and stays forgotten until it
        is heard or newer news of it arrives.

        Raises:
            UnknownMember: if there is no such other member, or (native protocol) it is live.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`, or if the node is closed.
        """
        self._engine.act(lambda node, now: node.remove(name, now=now))

    def force_leave(self, name: str) -> None:
        """Have all members consider a dead one as having left (`Rule.REMOVED`), so that none looks for it any longer.

        Where the member was already dead no event is raised, but `explain` and ``swim events`` show it. It is forgotten
        like one that said goodbye, after ``forget_left_after``. If it is alive after all, it refutes that as soon as it
        hears of it, and is back. `remove` forgets a member on this node only.

        Raises:
            UnknownMember: if there is no such other member, or it is live.
            NotSupported: always under Smudge's protocol, which has no such state.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`, or if the node is closed.
        """
        self._engine.act(lambda node, now: node.force_leave(name, now=now))

    def set_state(self, name: str, state: State) -> None:
        """Set a member's state and tell the others, as Smudge's protocol allows. A live member will refute it.

        Raises:
            NotSupported: always under the native protocol, whose verdicts rest on evidence.
            ConfigError: if the state is LEFT.
            UnknownMember: if there is no such other member.
            NotRunning: after `leave`, or if the node is closed.
        """
        self._engine.act(lambda node, now: node.set_state(name, state, now=now))

    def set_keys(self, keys: Keys | str | Iterable[str]) -> None:
        """Hold other keys from now on, the preferred one first; docs/keys.md says how to rotate them.

        A node that was opened with ``key_file`` does this by itself when the file changes.

        Raises:
            ConfigError: if they can't be used, or this node was opened without keys.
            NotSupported: always under Smudge's protocol, which can't be sealed.
            NotRunning: after `leave`, or if the node is closed.
        """
        held = Keys.of(keys)
        self._engine.act(lambda node, now: node.set_keys(held, now=now))
