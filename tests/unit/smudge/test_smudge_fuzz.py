"""Any datagrams from anywhere: no exception, no heartbeat near the top, and the node does its duty afterwards."""

from random import Random

import pytest

from support.smudge_forger import FAR, NEAR_TOP
from support.smudge_hand import PORT, Hand
from swim_core import Address, State
from swim_core.smudge import BroadcastRecord, MemberRecord, Message, Status, Verb, encode, encode_announcement

SHARE = 500
CHUNK = 10_000
MEMBERS = 6

Seeds = pytest.mark.parametrize(
    ("seed", "count"),
    [
        pytest.param(0, SHARE, id="share"),
        *[pytest.param(seed, CHUNK, id=f"seed {seed}", marks=pytest.mark.slow) for seed in range(1, 11)],
    ],
)
Versions = pytest.mark.parametrize("ipv6", [False, True], ids=["IPv4", "IPv6"])


class Fuzz:
    """Draws datagrams: rubbish, honest ones that were damaged, and well-formed ones that say anything."""

    def __init__(self, seed: int, *, ipv6: bool) -> None:
        self.random = Random(f"{seed}/{ipv6}")
        self.ipv6 = ipv6
        network = "fd77::{:x}" if ipv6 else "10.0.0.{}"
        self.members = [Address(network.format(number), PORT) for number in range(2, 2 + MEMBERS)]
        self.me = Address(network.format(1), PORT)
        odd = ["::", "::1", "ff02::1", "::ffff:10.0.0.9"] if ipv6 else ["0.0.0.0", "0.1.2.3", "224.0.0.1", "127.0.0.1"]
        hosts = [network.format(number) for number in range(1, 250)] + odd
        self.addresses = [self.me, *self.members, *[Address(host, PORT) for host in hosts], Address(hosts[9], 0)]
        self.heard = 1

    def address(self) -> Address:
        return self.random.choice(self.random.choice([self.members, self.addresses]))

    def u32(self) -> int:
        random = self.random
        near = max(0, self.heard + random.choice([-1, 0, 1, 2, 2**16, 2**27, 2**28]))
        return random.choice([random.getrandbits(32), random.choice(FAR), min(near, 2**32 - 1), random.randrange(60)])

    def record(self) -> MemberRecord:
        status = self.random.choice([*Status, 1, 2, 3, 255])
        return MemberRecord(status, self.address(), self.u32(), self.random.choice([None, self.address()]))

    def message(self) -> Message:
        random = self.random
        broadcast = None
        if random.random() < 0.1:
            broadcast = BroadcastRecord(self.address(), self.u32(), random.randbytes(random.choice([0, 5, 256, 300])))
        records = tuple(self.record() for _ in range(random.choice([0, 1, 2, 9, 63])))
        if records and random.random() < 0.2:
            records = (MemberRecord(Status.FORWARD_TO, self.address(), self.u32(), None), *records[1:])
        return Message(random.choice([*Verb]), random.choice([PORT, PORT, 0, 1]), self.u32(), records, broadcast)

    def data(self) -> bytes:
        random = self.random
        kind = random.random()
        if kind < 0.1:
            return random.randbytes(random.randrange(80))
        data = encode(self.message(), ipv6=self.ipv6)
        if kind < 0.3:
            at = random.randrange(len(data))
            data = random.choice([data[:at], data[:at] + random.randbytes(1) + data[at + 1 :], data + b"\0"])
        return data


@Versions
@Seeds
@pytest.mark.timeout(900)
def test_nothing_that_arrives_ends_it_or_takes_its_heartbeat_near_the_top(seed: int, count: int, ipv6: bool) -> None:
    fuzz = Fuzz(seed, ipv6=ipv6)
    hand = Hand(address=fuzz.me, max_members=60)
    hand.answering.update(fuzz.members)
    for member in fuzz.members:
        hand.feed(member, Message(Verb.PING, PORT, 1))
    highest = 0
    for _ in range(count):
        source, data = fuzz.address(), fuzz.data()
        if fuzz.random.random() < 0.02:
            announced = encode_announcement("smudge", fuzz.message(), ipv6=ipv6)
            hand.node.feed_announcement(announced, source, now=hand.now)
        hand.feed_bytes(data, source)
        if fuzz.random.random() < 0.02:
            hand.run(fuzz.random.choice([0.001, 0.1, 0.7]))
        codes = [sent.code for sent in hand.sent if sent.verb is Verb.PING]
        highest = fuzz.heard = max(codes, default=highest)
        assert highest < NEAR_TOP
        assert not [r for sent in hand.sent for r in sent.message.members if r.heartbeat >= NEAR_TOP and r.status != 4]
        hand.clear()
    hand.run(5.0)
    assert str(fuzz.me) in [member.name for member in hand.node.members()]
    for member in fuzz.members:
        hand.feed(member, Message(Verb.PING, PORT, 7))
    hand.run(15.0)
    held = {member.name: member.state for member in hand.node.members(gone=True)}
    assert {held[str(member)] for member in fuzz.members} == {State.ALIVE}
