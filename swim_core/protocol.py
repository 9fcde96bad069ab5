"""The interface of every protocol in this library, and the order in which to use it.

Embedders, adapters and the simulator use nodes through this interface only. After *every* input or intent, drain
`poll_datagram` until it returns None, then `poll_event` likewise, then read `poll_deadline`. There are no callbacks,
nothing blocks, and nothing here may be called from two threads at once.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple, Protocol

from .address import Address
from .discovery import Multicast
from .events import Event, Evidence, Past
from .keys import Keys
from .member import Contact, Member, State
from .statistics import Statistics
from .tripwire import TripwirePlan

__all__ = ["Datagram", "KernelEvidence", "Losses", "ProtocolConfig", "ProtocolNode"]

AddressLike = Address | tuple[str, int]
"""An address, or a pair of a numeric host and a port."""


class Datagram(NamedTuple):
    """Bytes to send, and their destination."""

    payload: bytes
    destination: Address


class Losses(NamedTuple):
    """Traffic of a node that the adapter's system lost.

    Attributes:
        unsent: how many datagrams the system refused to send, by the name of the error, such as ``EPERM``.
        unsent_bytes: their total size.
        overflowed: how many arriving datagrams were dropped because earlier ones had not been read yet.
    """

    unsent: Mapping[str, int]
    unsent_bytes: int
    overflowed: int


class KernelEvidence(IntEnum):
    """What the kernel at a member's address reported; adapters feed it to the node."""

    NONE = 0
    REFUSED_UDP = 1
    """A port-unreachable message that quotes a datagram of ours."""
    REFUSED_TCP = 2
    """A connection to the same port number was refused."""
    REACHABLE = 3
    """The kernel accepted a connection, or acks on one: the host is up, and a refused datagram proves nothing."""
    KERNEL_SILENT = 4
    """A connection attempt got no answer from the kernel."""
    CONNECTED = 5
    """A tripwire was greeted by that very run: from now on a refused or unanswered connection is significant."""
    CONNECTION_LOST = 6
    """Such a tripwire broke without an announcement."""


class ProtocolNode(Protocol):
    """One member's side of a membership protocol, without sockets or clocks.

    ``now`` is always seconds as a float on a monotonic clock, the same clock in every call. A value that goes backwards
    is clamped to the latest one; a jump forwards counts as a pause of this node.
    """

    def feed_datagram(self, data: bytes, source: AddressLike, *, now: float) -> None:
        """Bytes arrived from ``source``. Never raises; invalid bytes are dropped and counted."""

    def feed_announcement(self, data: bytes, source: AddressLike, *, now: float) -> None:
        """Bytes arrived from ``source`` at the multicast group that `discover` named.

        Never raises; invalid bytes are dropped and counted.
        """

    def feed_evidence(self, kind: KernelEvidence, destination: AddressLike, quoted: bytes = b"", *, now: float) -> None:
        """A kernel reported something about ``destination``. Never raises.

        Args:
            kind: what it reported.
            destination: where the datagram or connection was going.
            quoted: for REFUSED_UDP, the refused datagram or its beginning; for CONNECTED and CONNECTION_LOST, the
                greeting of that tripwire.
            now: seconds.
        """

    def feed_losses(self, losses: Losses) -> None:
        """The system lost datagrams. They are counted, and not as sent; there is no other effect. Never raises."""

    def feed_tick(self, *, now: float) -> None:
        """The clock reached `poll_deadline`, or any other time. Early, late and repeated ticks are harmless."""

    def join(self, addresses: Iterable[AddressLike], *, now: float) -> None:
        """Ask ``addresses`` (seeds) to let this node in, again and again, until each is the address of a live member.

        They replace an earlier list; addresses that were already in it keep their backoff.

        Raises:
            ConfigError: if an address is not numeric.
            NotRunning: after `leave`.
        """

    def discover(self, multicast: Multicast, *, now: float) -> None:
        """Announce this node to a multicast group, now and every interval until `leave`, and heed other announcements.

        Announcements come out of `poll_datagram` with the destination ``multicast.group_for(self.local.address)``. Feed
        what arrives at that group to `feed_announcement`. Call this once, and only if the socket has joined the group.
        Without this call a node neither announces itself nor heeds announcements.

        Raises:
            NotRunning: after `leave`.
        """

    def enable_tripwires(self, *, now: float) -> None:
        """The caller handles TCP for this node: from now on `tripwire_plan` and `poll_connect` say what to do.

        Call it once, and only if a listener accepts connections at this node's address, on the same port number as for
        datagrams. It has no effect if the settings turn tripwires off or the protocol has none.
        """

    def broadcast(self, payload: bytes, *, now: float) -> int:
        """Send ``payload`` to every member, at most once each; returns its number, counted from 1 in each run.

        Raises:
            PayloadTooLarge: if it is larger than ``max_broadcast``; a smaller payload would be accepted.
            Overloaded: if too much is waiting to be sent; the same payload may be accepted later.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`.
        """

    def send(self, to: str | Member, payload: bytes, *, now: float) -> None:
        """Send ``payload`` to one member, best effort. A name means its current run, a `Member` exactly that run.

        Raises:
            UnknownMember: if there is no such live member.
            PayloadTooLarge: if it is larger than ``max_broadcast``.
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
        """Change the address at which others reach this node, in the same run; they get `MemberUpdated`.

        Use it when the host gets another address while its socket is bound to a wildcard. The same address has no
        effect.

        Raises:
            ConfigError: if the address is not numeric, or not one that others could send to.
            NotSupported: always under Smudge's protocol, whose members are their addresses.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`.
        """

    def ping(self, name: str, *, now: float) -> None:
        """Ping a member out of turn; `MemberPinged` reports the outcome.

        If no answer comes, the member is investigated as after any missed probe.

        Raises:
            UnknownMember: if there is no such other member, live or gone.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`.
        """

    def remove(self, name: str, *, now: float) -> None:
        """Forget a member, on this node only; `MemberForgotten` follows.

        Under the native protocol the member must be DEAD or LEFT, since a live one would come back with the next news
        of it; it is not tried again. Under Smudge's protocol it may be in any state, and stays forgotten until it
        is heard or newer news of it arrives.

        Raises:
            UnknownMember: if there is no such other member, or (native protocol) it is live.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`.
        """

    def force_leave(self, name: str, *, now: float) -> None:
        """Have all members consider a dead one as having left (`Rule.REMOVED`), so that none looks for it any longer.

        Where the member was already dead no event is raised, but `explain` and ``swim events`` show it. It is forgotten
        like one that said goodbye, after ``forget_left_after``. If it is alive after all, it refutes that as soon as it
        hears of it, and is back. `remove` forgets a member on this node only.

        Raises:
            UnknownMember: if there is no such other member, or it is live.
            NotSupported: always under Smudge's protocol, which has no such state.
            NameTaken: while another live process owns this node's name.
            NotRunning: after `leave`.
        """

    def set_state(self, name: str, state: State, *, now: float) -> None:
        """Set a member's state and tell the others, as Smudge's protocol allows. A live member will refute it.

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
        """Say goodbye, for good; `has_left` says when it was said often enough. A second call does nothing."""

    def poll_datagram(self) -> Datagram | None:
        """The next datagram to send, or None."""

    def poll_event(self) -> Event | None:
        """The next event for the application, or None."""

    def poll_connect(self) -> Address | None:
        """The next address to try a TCP connection to, or None. Drain it where you drain `poll_event`.

        Report the outcome with `feed_evidence`: REACHABLE, REFUSED_TCP, or KERNEL_SILENT after 1.5 s or more; nothing
        if the problem is local. One attempt per address at a time is enough. But if the same address comes again during
        an attempt, a second attempt saves the second that TCP waits before it resends a lost SYN. If the kernel there
        acks on a tripwire meanwhile, report REACHABLE: the host is alive and merely accepts no more connections.
        """

    def poll_deadline(self) -> float | None:
        """The latest time at which to call `feed_tick`, in seconds on the clock of ``now``; None for never."""

    @property
    def local(self) -> Member:
        """This node itself."""

    @property
    def tripwire_plan(self) -> TripwirePlan:
        """The members to keep idle TCP connections to, and the greeting to send; the same object until it changes.

        It changes with events about members and, rarely, without one, when this node takes a new epoch. So check it
        after events and after ticks. Report with `feed_evidence` when a connection has been greeted correctly
        (CONNECTED), and when it breaks after that (CONNECTION_LOST) unless the other side announced it.
        """

    @property
    def has_left(self) -> bool:
        """Whether `leave` was called and the goodbye repeated (250 ms), or there was nobody to hear it."""

    def members(self, *, gone: bool = False) -> tuple[Member, ...]:
        """The live members (ALIVE, SUSPECT), this node included, by name; with ``gone`` also those DEAD or LEFT."""

    def member(self, name: str) -> Member | None:
        """The member with that name, live or gone; None if it is unknown."""

    def statistics(self) -> Statistics:
        """An immutable snapshot of counters and sizes."""

    def explain(self, name: str) -> Evidence | None:
        """The evidence for a member's state: the verdict, and what this node observed. None for an unknown member.

        The evidence for a live, unsuspected member has no rule and states what was observed lately.
        """

    def contact(self, name: str, *, now: float) -> Contact | None:
        """This node's own contact with a member: when it was heard, how long a ping took. None for an unknown member.

        About this node itself it only says how long its current state has lasted.
        """

    def history(self, *, since: int = 0) -> tuple[Past, ...]:
        """What happened to members lately, oldest first, from `Past.number` ``since`` on.

        The last 512 verdicts and 256 other changes are kept, whether or not anybody takes events.
        """

    def rings(self) -> tuple[tuple[str, ...], ...]:
        """The names of the live members in the order of each ring along which news floods, the same at all members
        that agree on who lives; empty where the protocol has no rings."""


class ProtocolConfig(Protocol):
    """The settings of a protocol, as adapters, the simulator and the command use them, whatever the protocol."""

    @property
    def event_buffer(self) -> int:
        """How many events a subscription holds."""

    @property
    def listen(self) -> tuple[str, int] | None:
        """Host and port to listen on if the user gives none; None leaves it to ``SWIM_BIND``."""

    @property
    def seeds(self) -> tuple[tuple[str, int], ...]:
        """Hosts and ports of seeds if the user gives none; empty leaves them to ``SWIM_JOIN``."""

    @property
    def tripwires(self) -> bool:
        """Whether nodes should listen on TCP too; see `ProtocolNode.enable_tripwires`."""

    @property
    def join_backoff_max(self) -> float:
        """The longest wait between two attempts at a seed, in seconds; names of seeds are resolved as often."""

    @property
    def discovery(self) -> Multicast | None:
        """How a node discovers others if the user doesn't say; None for not at all."""

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
            address: where other members reach it; numeric.
            now: seconds on the caller's monotonic clock.
            entropy: 32 random bytes, from which everything random is derived.
            unix_ms: the wall clock, in ms since 1970.
            metadata: strings that others see in `Member.metadata`.
            keys: what seals datagrams; without any they go in plain text.

        Raises:
            ConfigError: if the name, the address or the keys are invalid, or this protocol can't be sealed.
            PayloadTooLarge: if the metadata is too large.
        """
