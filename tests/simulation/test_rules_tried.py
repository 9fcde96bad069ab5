"""What the experiments of docs/experiments.md showed must stay true."""

from collections.abc import Iterator

import pytest

from support.datagrams import pack_datagram
from swim_core import Address, Config, Isolated, MemberDied, MemberRecovered, Reconnected
from swim_core.address import pack as pack_address
from swim_core.member import State
from swim_core.native.wire.claim import EPOCH_BITS, Claim
from swim_core.native.wire.datagram import encode_item
from swim_core.native.wire.hashing import Hashes
from swim_core.native.wire.messages import Join, Message, Ping, SyncReq, Vote, VoteKind, Want, WantClaim
from swim_core.simulation import Process, Simulation
from swim_core.simulation.cluster import START_MS

STRANGER, VICTIM = Address("10.200.0.9", 7946), Address("10.200.0.66", 7946)
HASHES = Hashes(Config().cluster, Config().rings)
UNKNOWN = 1 << 60  # a short id that nobody has


class Listener:
    """Counts the bytes that reach an address."""

    def __init__(self) -> None:
        self.received = 0

    def receive(self, payload: bytes, source: Address) -> None:
        self.received += len(payload)

    def refused(self, destination: Address, quoted: bytes) -> None:
        """Not counted."""


def short_id(process: Process) -> int:
    return HASHES.short_id(process.node.local.name, process.node.local.epoch)


def questions(target: Process, other: Process) -> Iterator[Message]:
    now, me = START_MS, short_id(target)
    yield Ping(7, me, now)
    yield Ping(7, short_id(other), now)
    yield Vote(short_id(other), 0, 7, VoteKind.SILENT, 5_000)
    yield WantClaim(me, 7)
    for padding in map(bytes, range(0, 300, 20)):
        yield SyncReq(7, [0], 0, padding)
        yield Want(me, [(1, 1)], padding)
        yield Join(7, other.name, 1_000, 4, 5_000, 1_200, padding=padding)


def test_a_stranger_gets_no_more_bytes_than_it_sent() -> None:
    with Simulation(1) as simulation:
        target, other, *_ = simulation.start_formed(5)
        simulation.run_for(3.0)
        simulation.broadcast(target, bytes(200))
        simulation.run_for(2.0)
        listener, answered = Listener(), 0
        simulation.network.bind(STRANGER, listener)
        for message in questions(target, other):
            data = pack_datagram(HASHES.label, 0, UNKNOWN, encode_item(message))
            simulation.network.send(STRANGER, target.address, data)
            simulation.run_for(1.0)  # the bound on questions to one address has expired by then
            assert listener.received <= len(data), message
            answered += listener.received > 0
            listener.received = 0
        assert answered >= 10  # the bound doesn't mean silence


def test_a_claim_that_a_stranger_sends_makes_nobody_send_to_the_address_in_it() -> None:
    with Simulation(1) as simulation:
        target, other, *_ = simulation.start_formed(5)
        simulation.run_for(3.0)
        listener = Listener()
        simulation.network.bind(VICTIM, listener)
        for name, epoch in (("guest", START_MS), (other.name, START_MS + 60_000)):
            claim = Claim(name, epoch << EPOCH_BITS, pack_address(VICTIM), 0, State.ALIVE, b"")
            data = pack_datagram(HASHES.label, 0, UNKNOWN, claims=[encode_item(claim)])
            simulation.network.send(STRANGER, target.address, data)
        simulation.run_for(20.0)
        assert listener.received == 0
        assert simulation.agreed()


@pytest.mark.parametrize("members", [4, 16])
def test_a_node_that_hears_but_is_not_heard_does_not_flap(members: int) -> None:
    """Members try the dead now and then, and each such ping used to reconnect the node, only to isolate it again."""
    with Simulation(members) as simulation:
        *others, mute = simulation.start_formed(members)
        simulation.run_for(5.0)
        for other in others:
            simulation.cut(mute, other)
        simulation.run_for(300.0)
        assert len(mute.times(Isolated)) == 1
        assert not mute.times(Reconnected)
        assert len(mute.times(MemberDied)) == members - 1
        assert len(mute.node.members()) == 1
        simulation.heal()
        simulation.run_until(simulation.agreed, limit=65.0)  # the longest wait between two tries
        assert len(mute.times(Reconnected)) == 1
        assert len(mute.times(MemberRecovered)) >= members - 1
        assert len(mute.node.members()) == members
