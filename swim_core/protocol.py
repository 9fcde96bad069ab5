"""The face that every protocol of this library shows, and the order in which to use it.

An embedder, an adapter and the simulator know nodes by this face alone. After *every* input or intent
drain `poll_datagram` to None, then `poll_event` to None, then read `poll_deadline`. Nothing is called
back, nothing blocks, and nothing here may be called from two threads at once.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple, Protocol

from .address import Address
from .discovery import Multicast
from .events import Event, Evidence
from .keys import Keys
from .member import Contact, Member, State
from .statistics import Statistics
from .tripwire import TripwirePlan

__all__ = ["Datagram", "KernelEvidence", "Losses", "ProtocolConfig", "ProtocolNode"]

AddressLike = Address | tuple[str, int]
"""An address, or a pair of a numeric host and a port."""


class Datagram(NamedTuple):
    """Bytes to send, and where to."""

    payload: bytes
    destination: Address


class Losses(NamedTuple):
    """What an adapter's system lost of a node's traffic, and nobody else counts.

    Attributes:
        unsent: datagrams that it refused to send, by the name of the error, as in ``EPERM``.
        unsent_bytes: what they held together.
        overflowed: datagrams that came and were dropped, since those before them had not been read.
    """

    unsent: Mapping[str, int]
    unsent_bytes: int
    overflowed: int


class KernelEvidence(IntEnum):
    """What the kernel at a member's address said, for an adapter to feed."""

    NONE = 0
    REFUSED_UDP = 1
    """A port-unreachable that quotes a datagram which we sent."""
    REFUSED_TCP = 2
    """A connection to the same port number was refused."""
    REACHABLE = 3
    """The kernel there accepted a connection, or acks on one: the host is up, and a refused datagram proves nothing."""
    KERNEL_SILENT = 4
    """An active test got no answer from the kernel there."""
    CONNECTED = 5
    """A tripwire to it was greeted by that very run: from now on a refused or unanswered connection means something."""
    CONNECTION_LOST = 6
    """Such a tripwire broke unannounced."""


class ProtocolNode(Protocol):
    """One member's side of a membership protocol, without sockets or clocks.

    ``now`` is always seconds as a float on any monotonic clock, the same one in every call; a value
    that goes backwards is clamped to the latest, and a jump forward counts as a pause of this node.
    """

    def feed_datagram(self, data: bytes, source: AddressLike, *, now: float) -> None:
        """Bytes arrived from ``source``. Never raises; what is not valid is dropped and counted."""

    def feed_announcement(self, data: bytes, source: AddressLike, *, now: float) -> None:
        """Bytes arrived from ``source`` at the multicast group that `discover` named.

        Never raises; what is not valid is dropped and counted.
        """

    def feed_evidence(self, kind: KernelEvidence, destination: AddressLike, quoted: bytes = b"", *, now: float) -> None:
        """The kernel said something about ``destination``. Never raises.

        Args:
            kind: what it said.
            destination: where the datagram or connection went.
            quoted: for REFUSED_UDP the bytes, or their beginning, of the datagram that was refused; for CONNECTED
                and CONNECTION_LOST the greeting of that tripwire.
            now: seconds.
        """

    def feed_losses(self, losses: Losses) -> None:
        """The system lost datagrams: they are counted, and not as sent. Never raises, and nothing else comes of it."""

    def feed_tick(self, *, now: float) -> None:
        """The clock reached `poll_deadline`, or any other time. Early, late and repeated ticks are harmless."""

    def join(self, addresses: Iterable[AddressLike], *, now: float) -> None:
        """Ask ``addresses`` (seeds) to let this node in, again and again until each is a live member's.

        Replaces an earlier list; addresses already in it keep their backoff.

        Raises:
            ConfigError: if an address is not numeric.
            NotRunning: after `leave`.
        """

    def discover(self, multicast: Multicast, *, now: float) -> None:
        """Announce this node to a multicast group, at once and every interval until `leave`, and heed the others there.

        Announcements come out of `poll_datagram`, their destination being ``multicast.group_for(self.local.address)``;
        what arrives at that group goes to `feed_announcement`. Call it once, and only where the group was
        joined: a node that is not told to discover neither announces nor listens.

        Raises:
            NotRunning: after `leave`.
        """

    def enable_tripwires(self, *, now: float) -> None:
        """The caller speaks TCP for this node: from now on `tripwire_plan` and `poll_connect` say what to do there.

        Call it once, and only if a listener accepts connections at this node's address, on the same port number
        as for datagrams. Nothing comes of it where the settings, or the protocol, know no tripwires.
        """

    def broadcast(self, payload: bytes, *, now: float) -> int:
        """Tell every member ``payload``, at most once each; returns its number, from 1 in this run.

        Raises:
            PayloadTooLarge: if it is over ``max_broadcast``: a smaller one would do.
            Overloaded: if too much waits to be sent already: the same payload can be told later.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`.
        """

    def send(self, to: str | Member, payload: bytes, *, now: float) -> None:
        """Tell one member ``payload``, best effort: a name means whichever run lives, a `Member` that run only.

        Raises:
            UnknownMember: if there is no such live member.
            PayloadTooLarge: if it is over ``max_broadcast``.
            NotSupported: always under Smudge's protocol, which has no messages to single members.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`.
        """

    def update_metadata(self, metadata: Mapping[str, str], *, now: float) -> None:
        """Replace this node's metadata (strings, at most ``max_metadata`` bytes packed) and tell everyone.

        Raises:
            PayloadTooLarge: if it is too large.
            NotSupported: always under Smudge's protocol, which carries no metadata.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`.
        """

    def update_address(self, address: AddressLike, *, now: float) -> None:
        """Be reached at ``address`` from now on, in the same run, and tell everyone (`MemberUpdated` there).

        For a host that got another address while its socket, bound to a wildcard, goes on. The same one does nothing.

        Raises:
            ConfigError: if the address is not numeric, or none that others could send to.
            NotSupported: always under Smudge's protocol, whose members are their addresses.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`.
        """

    def ping(self, name: str, *, now: float) -> None:
        """Ping a member out of turn; `MemberPinged` tells how it went. No answer is looked into like any other.

        Raises:
            UnknownMember: if there is no such other member, live or gone.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`.
        """

    def remove(self, name: str, *, now: float) -> None:
        """Forget a member, here only; `MemberForgotten` follows.

        Under the native protocol only one that is DEAD or LEFT, since a live one would come back with the next
        word of it; it is not tried again. Under Smudge's any, until it shows itself or later news of it come.

        Raises:
            UnknownMember: if there is no such other member, or (native protocol) it is live.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`.
        """

    def set_state(self, name: str, state: State, *, now: float) -> None:
        """Force a member's state and tell the others, which Smudge's protocol allows; if it lives it will object.

        Raises:
            NotSupported: always under the native protocol, whose verdicts rest on evidence.
            ConfigError: if the state is LEFT.
            UnknownMember: if there is no such other member.
            NotRunning: after `leave`.
        """

    def set_keys(self, keys: Keys, *, now: float) -> None:
        """Hold other keys from now on, as in a rotation; the same ones change nothing.

        Raises:
            ConfigError: if they can't be used, or this node was made without keys.
            NotSupported: always under Smudge's protocol, which can't be sealed.
        """

    def leave(self, *, now: float) -> None:
        """Say goodbye. Final; `has_left` tells when it has been said often enough. A second call does nothing."""

    def poll_datagram(self) -> Datagram | None:
        """The next datagram to send, or None."""

    def poll_event(self) -> Event | None:
        """The next event for the application, or None."""

    def poll_connect(self) -> Address | None:
        """The next address to try a TCP connection to, or None; drain it where you drain `poll_event`.

        Tell the outcome by `feed_evidence`: REACHABLE, REFUSED_TCP, or KERNEL_SILENT after 1.5 s or more; nothing if
        the trouble is local. One attempt to an address at a time is enough; but if the same comes again while one is
        under way, a fresh one beside it spares the second after which a lost SYN is sent again. If the kernel there
        acks on a tripwire meanwhile, tell REACHABLE: it lives, and only accepts no more connections.
        """

    def poll_deadline(self) -> float | None:
        """When to call `feed_tick` at the latest, in seconds on the clock of ``now``; None for never."""

    @property
    def local(self) -> Member:
        """This node itself."""

    @property
    def tripwire_plan(self) -> TripwirePlan:
        """Whom to keep an idle TCP connection to, and what to greet with; the same object until that changes.

        It changes with events about members and, seldom, without one, when this node takes a new epoch: look after
        events and after ticks. Tell by `feed_evidence` when a connection is greeted as it should be (CONNECTED)
        and when it breaks after that (CONNECTION_LOST), unless the other side announced it.
        """

    @property
    def has_left(self) -> bool:
        """True once `leave` was called and the goodbye has been repeated (250 ms), or nobody was there to hear it."""

    def members(self, *, gone: bool = False) -> tuple[Member, ...]:
        """The live members (ALIVE, SUSPECT), this node included, by name; with ``gone`` DEAD and LEFT ones too."""

    def member(self, name: str) -> Member | None:
        """The member of that name, live or gone, or None."""

    def statistics(self) -> Statistics:
        """Counters and sizes of this moment, immutable."""

    def explain(self, name: str) -> Evidence | None:
        """What stands behind the state of a member: the verdict, and what was observed here. None if unknown.

        The evidence of a live, unsuspected member has no rule and states what was observed lately.
        """

    def contact(self, name: str, *, now: float) -> Contact | None:
        """What this node has had to do with another member: when it was heard, how long a ping took. None if unknown.

        About itself it says only how long it has been what it is.
        """


class ProtocolConfig(Protocol):
    """Settings of a protocol: what adapters, the simulator and the command take, whichever protocol it is."""

    @property
    def event_buffer(self) -> int:
        """Events that a subscription holds."""

    @property
    def listen(self) -> tuple[str, int] | None:
        """Host and port where a node listens if its user doesn't say; None to leave it to ``SWIM_BIND``."""

    @property
    def seeds(self) -> tuple[tuple[str, int], ...]:
        """Hosts and ports that a node joins if its user names none; empty to leave it to ``SWIM_JOIN``."""

    @property
    def tripwires(self) -> bool:
        """Whether nodes are to listen on TCP too; see `ProtocolNode.enable_tripwires`."""

    @property
    def join_backoff_max(self) -> float:
        """Seconds, the longest wait between two attempts at a seed; names of seeds are looked up as often."""

    @property
    def discovery(self) -> Multicast | None:
        """How a node finds others where its user says nothing of it; None for not at all."""

    def create_node(
        self,
        name: str,
        address: AddressLike,
        *,
        now: float,
        entropy: bytes,
        unix_ms: int,
        metadata: Mapping[str, str] | None = None,
        keys: Keys | None = None,
    ) -> ProtocolNode:
        """Make a node.

        Args:
            name: unique in the cluster, 1 to 64 bytes of printable UTF-8.
            address: what other members reach it at; numeric.
            now: seconds on the caller's monotonic clock.
            entropy: 32 random bytes; everything random comes from them.
            unix_ms: the wall clock, ms since 1970.
            metadata: strings that others see in `Member.metadata`.
            keys: what seals datagrams; without any they go in plain text.

        Raises:
            ConfigError: if the name or address can't be used, or the keys, or this protocol can't be sealed.
            PayloadTooLarge: if the metadata is over its limit.
        """
