"""A member that turns on its cluster: it says anything that the native format allows, and some things that it doesn't.

Everything is drawn from a seed, and the most harmful numbers are among the likely ones. It never speaks for live runs
in their own names: unless datagrams are sealed, that would be believed.
"""

from random import Random
from typing import Any

from swim_core.address import Address, pack
from swim_core.member import Member, Rule, State
from swim_core.native.config import Config
from swim_core.native.wire import messages
from swim_core.native.wire.claim import Claim, Verdict
from swim_core.native.wire.datagram import NIL, Codec, encode_item
from swim_core.native.wire.hashing import Hashes

from .cluster import Cluster
from .process import Process

__all__ = ["Liar"]

TOP16, TOP32, TOP48, TOP64 = 2**16 - 1, 2**32 - 1, 2**48 - 1, 2**64 - 1
DAY = 86_400_000  # ms
NOWHERE = Address("10.99.99.99", 7946)
GHOSTS = ("ghost-1", "ghost-2", "g")  # few, since a full table is a separate matter
DAMAGED = 0.1  # of the datagrams
PINGS = 0.1  # besides those that come as any other message does: they move clocks
SPARE_FLAGS = (0, 2, 2, 4, 8, 14, 240)


class Liar:
    """What one hostile member knows about its cluster and says.

    It accompanies a process of the simulation. The process answers pings as before, so that the others take it for a
    normal member, while this object sends hostile datagrams in its name or another's.
    """

    def __init__(self, cluster: Cluster, process: Process, random: Random) -> None:
        """Learn about the members.

        Args:
            cluster: the cluster that it is in.
            process: the process that it accompanies.
            random: the source of what it says.

        Raises:
            TypeError: if the cluster does not speak the native protocol.
        """
        if not isinstance(process.config, Config):
            raise TypeError("a liar speaks the native protocol only")
        self._network = cluster.network
        self._random = random
        self._hashes = Hashes(process.config.cluster, process.config.rings)
        self._codec = Codec(self._hashes.label)
        self._me = process.node.local
        self._others = [other.node.local for other in cluster.running() if other is not process]
        self._members = [*self._others, self._me]
        self._ids = [self._hashes.short_id(member.name, member.epoch) for member in self._members]
        self._now = process.node.statistics().cluster_time
        self._messages = [getattr(self, name) for name in vars(type(self)) if name.startswith("_say_")]

    def lie(self) -> None:
        """Send a datagram to a member, from its own address, another member's, or one where nobody is."""
        random = self._random
        source = self._me.address if random.random() < 0.6 else random.choice([*self._members, None])
        address = NOWHERE if source is None else source if isinstance(source, Address) else source.address
        self._network.send(address, random.choice(self._others).address, self.datagram())

    def datagram(self) -> bytes:
        """A datagram of any kind, one in ten with something wrong with its bytes."""
        random = self._random
        sender = self._ids[-1] if random.random() < 0.5 else random.choice([*self._ids, 7])
        message = self._say_ping() if random.random() < PINGS else random.choice(self._messages)()
        data = self._codec.pack(
            random.choice(SPARE_FLAGS),
            sender,
            NIL if message is None else encode_item(message),
            [encode_item(self._claim()) for _ in range(self._few())],
            [encode_item(messages.Number(self._id(), self._u32())) for _ in range(self._few())],
            [encode_item(self._broadcast()) for _ in range(self._few())],
        )
        return self._damaged(data) if random.random() < DAMAGED else data

    def _damaged(self, data: bytes) -> bytes:
        at, by = self._random.randint(0, 200), self._random.randbytes(self._random.randint(0, 4))
        return data[:at] + by + data[at + len(by) :] if self._random.random() < 0.7 else data[:at]

    # numbers and names

    def _few(self) -> int:
        return self._random.choice((0, 0, 1, 2, 4))

    def _u32(self) -> int:
        hard = (0, 1, 2, 31, 1_023, 1_024, 1_025, 2**31, TOP32 - 1, TOP32)
        return self._random.choice((*hard, self._random.getrandbits(32)))

    def _u64(self) -> int:
        hard = (0, 1, TOP32, 2**63, TOP64 - TOP16, TOP64)
        return self._random.choice((*hard, self._random.getrandbits(64)))

    def _id(self) -> int:
        return self._random.choice((*self._ids, self._ids[-1] ^ 1, self._u64()))

    def _time(self) -> int:
        now = self._now
        return self._random.choice((0, now - 60_000, now, now + 999, now + 3_600_000, now + 9_999_999, TOP48))

    def _name(self) -> str:
        return self._random.choice((*(member.name for member in self._members), *GHOSTS))

    def _fill(self) -> bytes:
        return bytes(self._random.randint(0, 1_000))

    def _cookie(self) -> bytes | None:
        return self._random.choice((None, self._random.randbytes(16)))

    # what rides on datagrams

    def _claim(self) -> Claim:
        random = self._random
        member = random.choice((*self._members, None))
        if member is None:
            address, epoch = random.choice((NOWHERE, self._me.address, self._others[0].address)), self._me.epoch
            return self._claim_of(random.choice(GHOSTS), address, epoch + random.choice((0, DAY << 16)), self._u32())
        addresses = (*[member.address] * 6, NOWHERE, self._me.address, self._others[0].address)
        incarnation = random.choice((*range(member.incarnation, member.incarnation + 4), self._u32()))
        return self._claim_of(member.name, random.choice(addresses), self._epoch(member), min(incarnation, TOP32))

    def _claim_of(self, name: str, address: Address, epoch: int, incarnation: int) -> Claim:
        state = self._random.choice(tuple(State))
        verdict = Verdict(self._ids[-1], Rule.SILENT, self._time()) if state is not State.ALIVE else None
        return Claim(name, epoch, pack(address), incarnation, state, b"" if state.live else None, verdict)

    def _epoch(self, member: Member) -> int:
        steps = (0, 0, 0, 0, 1, -1, 2**16, 2**17, DAY << 16, (DAY - 5) << 16)
        return self._random.choice((*[min(member.epoch + step, TOP64) for step in steps], self._u64()))

    def _broadcast(self) -> messages.Broadcast:
        name, epoch = self._random.choice(
            ((self._me.name, self._me.epoch), ("g", self._me.epoch), (self._name(), self._u64()))
        )
        return messages.Broadcast(name, epoch, self._random.randint(1, TOP32), self._random.randbytes(10))

    def _entries(self) -> list[messages.PageEntry]:
        return [messages.PageEntry(self._claim(), self._u32()) for _ in range(self._random.randint(0, 6))]

    def _maybe_claim(self) -> Claim | None:
        return self._random.choice((None, self._claim()))

    # the messages, in the order of their numbers

    def _say_nothing(self) -> None:
        return None

    def _say_ping(self) -> Any:
        return messages.Ping(self._u32(), self._id(), self._time(), self._random.choice((None, self._u32())))

    def _say_ack(self) -> Any:
        return messages.Ack(self._u32(), self._u64())

    def _say_ping_req(self) -> Any:
        return messages.PingReq(self._u32(), self._claim())

    def _say_vote(self) -> Any:
        kind, kernel = self._random.choice(tuple(messages.VoteKind)), self._random.choice(tuple(messages.KernelVerdict))
        return messages.Vote(self._id(), self._u32(), self._u32(), kind, self._u32(), kernel, self._u32())

    def _say_poll(self) -> Any:
        return messages.Poll(self._id(), self._u32(), self._u32())

    def _say_join(self) -> Any:
        random, cookie, claim = self._random, self._cookie(), self._maybe_claim()
        return messages.Join(
            self._u32(), self._name(), self._u32(), random.randint(1, 255), self._u32(), self._u32(), cookie, claim,
            self._fill(),
        )  # fmt: skip

    def _say_join_ack(self) -> Any:
        random, held, own = self._random, self._maybe_claim(), self._maybe_claim()
        return messages.JoinAck(
            self._u32(), self._cookie(), self._time(), self._u32(), random.randint(1, 255), self._u32(), held, own
        )

    def _say_sync_req(self) -> Any:
        buckets = [self._u64() for _ in range(self._random.choice((1, 3, 128)))]
        return messages.SyncReq(self._u32(), buckets, self._u64(), self._fill())

    def _say_sync_page(self) -> Any:
        cursor = self._random.choice((None, self._u64()))
        return messages.SyncPage(
            self._u32(), cursor, self._random.randbytes(self._random.randint(0, 16)), self._entries()
        )

    def _say_sync_push(self) -> Any:
        return messages.SyncPush(self._entries())

    def _say_want_claim(self) -> Any:
        return messages.WantClaim(self._id(), self._u32())

    def _say_want(self) -> Any:
        ends = sorted(self._random.sample(range(TOP32), 2 * self._random.randint(1, 32)))
        return messages.Want(self._id(), list(zip(ends[::2], ends[1::2], strict=True)), self._fill())

    def _say_message(self) -> Any:
        return messages.UserMessage(self._random.randbytes(10))

    def _say_claim_of(self) -> Any:
        return messages.ClaimOf(self._u32(), self._claim())

    def _say_not_me(self) -> Any:
        return messages.NotMe(self._u32(), self._maybe_claim())
