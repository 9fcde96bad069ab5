"""A member that turns on its cluster: it says anything that the format allows, from its own address or another's.

`Hostile` stands beside a process of the simulation: that one goes on answering pings, so that the cluster takes
it for a member like any other, while what `datagrams` draws is sent in its name. Everything is drawn by
Hypothesis, with the numbers that are hardest to bear among the likely ones, so a failure shrinks to the
datagrams that matter.
"""

from typing import get_args

from hypothesis import strategies as st

from support.datagrams import pack_datagram
from swim_core import Address, Member, Rule, State
from swim_core.address import pack
from swim_core.native.wire.claim import Claim, Verdict
from swim_core.native.wire.datagram import NIL, encode_item
from swim_core.native.wire.hashing import Hashes
from swim_core.native.wire.messages import (
    Ack,
    AckElsewhere,
    Announce,
    Broadcast,
    ClaimOf,
    Join,
    JoinAck,
    KernelVerdict,
    Message,
    NotMe,
    Number,
    PageEntry,
    Ping,
    PingReq,
    Poll,
    SyncPage,
    SyncPush,
    SyncReq,
    UserMessage,
    Vote,
    VoteKind,
    Want,
    WantClaim,
)
from swim_core.native.wire.queries import Ask, Tell, What
from swim_core.simulation import Process, Simulation

TOP16, TOP32, TOP48, TOP64 = 2**16 - 1, 2**32 - 1, 2**48 - 1, 2**64 - 1
DAY = 86_400_000  # ms
NOWHERE = Address("10.99.99.99", 7946)

u32 = st.sampled_from((0, 1, 2, 31, 1_023, 1_024, 1_025, 2**31, TOP32 - 1, TOP32)) | st.integers(0, TOP32)
u64 = st.sampled_from((0, 1, TOP32, 2**63, TOP64 - TOP16, TOP64)) | st.integers(0, TOP64)
fill = st.integers(0, 1_000).map(bytes)
small = st.binary(max_size=20)


class Hostile:
    """What one hostile member knows of its cluster, and the strategies that follow from it."""

    def __init__(self, simulation: Simulation, process: Process) -> None:
        self._network = simulation.network
        self._hashes = Hashes(simulation.config.cluster, 4)  # type: ignore[attr-defined]
        self.process = process
        self.me = process.node.local
        self.others = [p.node.local for p in simulation.running() if p is not process]
        self.members = [*self.others, self.me]
        self._now = process.node.statistics().cluster_time
        self._strategies()
        self.strategy = self._datagrams()

    def send(self, data: bytes, to: Address, source: Address) -> None:
        """Put a datagram on the network, whatever ``source`` is."""
        self._network.send(source, to, data)

    def short_id(self, member: Member) -> int:
        """What datagrams call that run."""
        return self._hashes.short_id(member.name, member.epoch)

    def _strategies(self) -> None:
        ids = [self.short_id(member) for member in self.members]
        self.targets = st.sampled_from([member.address for member in self.others])
        self.sources = st.sampled_from([self.me.address] * 8 + [member.address for member in self.others] + [NOWHERE])
        self._senders = st.sampled_from([ids[-1]] * 8 + ids + [7])
        self._ids = st.sampled_from([*ids, ids[-1] ^ 1]) | u64
        self._names = st.sampled_from([*(member.name for member in self.members), "ghost-1", "ghost-2", "g"])
        now = self._now
        self._times = st.sampled_from((0, now - 60_000, now, now + 999, now + 3_600_000, now + 9_999_999, TOP48))
        self._claims = st.one_of(self._about_members(), self._about_members(), self._about_ghosts())
        self._entries = st.lists(st.builds(PageEntry, self._claims, u32), max_size=6)
        numbers = st.integers(1, TOP32)
        own = st.builds(Broadcast, st.sampled_from((self.me.name, "g")), st.just(self.me.epoch), numbers, small)
        # in the name of a run that lives, a broadcast is believed until datagrams are sealed: it isn't said here
        self._broadcasts = own | st.builds(Broadcast, self._names, u64, numbers, small)

    def _claim(self, name: str, address: Address, epoch: int, incarnation: int, state: State, time: int) -> Claim:
        verdict = Verdict(self.short_id(self.me), Rule.SILENT, time) if state is not State.ALIVE else None
        return Claim(name, epoch, pack(address), incarnation, state, b"" if state.live else None, verdict)

    def _about_members(self) -> st.SearchStrategy[Claim]:
        """Claims about members that exist: higher, lower, elsewhere, of other runs."""

        def epochs(member: Member) -> st.SearchStrategy[int]:
            steps = (0, 0, 0, 0, 1, -1, 2**16, 2**17, DAY << 16, (DAY - 5) << 16)
            return st.sampled_from(steps).map(lambda step: min(member.epoch + step, TOP64)) | u64

        def about(member: Member) -> st.SearchStrategy[Claim]:
            addresses = [member.address] * 6 + [NOWHERE, self.me.address, self.others[0].address]
            incarnations = st.integers(member.incarnation, member.incarnation + 3) | u32
            return st.builds(
                self._claim,
                st.just(member.name),
                st.sampled_from(addresses),
                epochs(member),
                incarnations,
                st.sampled_from(State),
                self._times,
            )

        return st.sampled_from(self.members).flatmap(about)

    def _about_ghosts(self) -> st.SearchStrategy[Claim]:
        """Claims about members that don't, under a few names only, since full tables have a test of their own."""
        return st.builds(
            self._claim,
            st.sampled_from(("ghost-1", "ghost-2", "g")),
            st.sampled_from([NOWHERE, self.me.address, self.others[0].address]),
            st.sampled_from((self.me.epoch, self.me.epoch + (DAY << 16))),
            u32,
            st.sampled_from(State),
            self._times,
        )

    def _messages(self) -> st.SearchStrategy[Message | None]:
        claims, ids, times = self._claims, self._ids, self._times
        names, entries = self._names, self._entries
        maybe = st.none() | claims
        cursors = st.none() | u64
        cookies = st.none() | st.binary(min_size=16, max_size=16)
        rings = st.integers(1, 255)
        starts = st.lists(u32, min_size=2, max_size=64, unique=True).map(sorted)
        ranges = starts.map(lambda ends: list(zip(ends[::2], ends[1::2], strict=False)))
        messages: dict[type[Message], st.SearchStrategy[Message]] = {
            Ping: st.builds(Ping, u32, ids, times, st.none() | u32),
            Ack: st.builds(Ack, u32, u64),
            AckElsewhere: st.builds(AckElsewhere, u32, u64, self.sources.map(pack), st.just(0) | u32),
            NotMe: st.builds(NotMe, u32, maybe),
            PingReq: st.builds(PingReq, u32, claims),
            Vote: st.builds(Vote, ids, u32, u32, st.sampled_from(VoteKind), u32, st.sampled_from(KernelVerdict), u32),
            Poll: st.builds(Poll, ids, u32, u32),
            Join: st.builds(Join, u32, names, u32, rings, u32, u32, cookies, maybe, fill),
            JoinAck: st.builds(JoinAck, u32, cookies, times, u32, rings, u32, maybe, maybe),
            SyncReq: st.builds(SyncReq, u32, st.lists(u64, min_size=1, max_size=128), u64, fill),
            SyncPage: st.builds(SyncPage, u32, cursors, st.binary(max_size=16), entries),
            SyncPush: st.builds(SyncPush, entries),
            WantClaim: st.builds(WantClaim, ids, u32),
            ClaimOf: st.builds(ClaimOf, u32, claims),
            Want: st.builds(Want, ids, ranges, fill),
            UserMessage: st.builds(UserMessage, small),
            Announce: st.builds(Announce, st.integers(1, TOP16), fill),
            Ask: st.builds(Ask, u32, st.sampled_from(What), u64, small, fill),
            Tell: st.builds(Tell, u32, cursors, small),
        }
        assert messages.keys() == set(get_args(Message)), "there is a kind of message that no member lies with"
        return st.none() | st.one_of(*messages.values())

    def _datagrams(self) -> st.SearchStrategy[bytes]:
        def encoded(items: st.SearchStrategy[Message | Claim | Number | Broadcast]) -> st.SearchStrategy[list[bytes]]:
            return st.lists(items.map(encode_item), max_size=4)

        valid = st.builds(
            pack_datagram,
            st.just(self._hashes.label),
            st.sampled_from((0, 2, 2, 4, 8, 14, 240)),
            self._senders,
            self._messages().map(lambda message: NIL if message is None else encode_item(message)),
            encoded(self._claims),
            encoded(st.builds(Number, self._ids, u32)),
            encoded(self._broadcasts),
        )
        return st.one_of(*[valid] * 9, st.builds(_damaged, valid, st.integers(6, 200), st.binary(max_size=4)))


@st.composite
def datagrams(draw: st.DrawFn, hostile: Hostile) -> bytes:
    """Datagrams of every kind, one in ten with something wrong with its bytes."""
    return draw(hostile.strategy)


@st.composite
def journeys(draw: st.DrawFn, hostile: Hostile) -> tuple[Address, Address]:
    """Where a datagram pretends to come from, and where it goes."""
    return draw(hostile.sources), draw(hostile.targets)


def _damaged(data: bytes, at: int, by: bytes) -> bytes:
    return data[:at] + by + data[at + len(by) :]
