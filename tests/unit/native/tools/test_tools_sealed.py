"""Tools and a node with keys: who is answered, and that no recording makes anybody speak."""

from random import Random

import pytest

from swim_core import Address, BroadcastReceived, Config, DropReason, Key, Keys, Node
from swim_core.native.sealing.ring import key_id
from swim_core.native.tools.client import ToolClient
from swim_core.native.wire.answers import Joined, KeysPage, MembersPage, Spoken
from swim_core.native.wire.queries import What, pack_addresses
from swim_core.simulation import Process, Simulation

HOST, HERE = Address("198.51.100.7", 40_001), Address("127.0.0.1", 40_001)
KEY, OTHER = Key(bytes(range(32))), Key(bytes(range(50, 82)))
READER = KEY.reader_of("")


class Talk:
    """A member of a sealed cluster of two, and what tools sent and got."""

    def __init__(self, config: Config | None = None) -> None:
        self.simulation = Simulation(3, keys=Keys([KEY]), config=config)
        self.member: Process = self.simulation.form(2)[0]
        self.questions: list[bytes] = []

    @property
    def node(self) -> Node:
        assert isinstance(self.member.node, Node)
        return self.member.node

    def ask(self, what: What, *keys: Key, argument: bytes = b"", source: Address = HOST, seed: int = 1) -> ToolClient:
        """A whole conversation."""
        held = Keys(keys) if keys else None
        now = self.simulation.now
        client = ToolClient(what, argument, destination=self.member.address, keys=held, now=now, random=Random(seed))
        while not client.done:
            while (question := client.poll_datagram()) is not None:
                self.questions.append(question.payload)
                for answer in self.feed(question.payload, source):
                    client.feed_datagram(answer, now=self.simulation.now)
            deadline = client.poll_deadline()
            if deadline is not None:
                self.simulation.run_for(max(0.0, deadline - self.simulation.now))
                client.feed_tick(now=self.simulation.now)
        return client

    def feed(self, question: bytes, source: Address = HOST) -> list[bytes]:
        """What the member answers at once."""
        self.node.feed_datagram(question, source, now=self.member.clock)
        found = []
        while (answer := self.node.poll_datagram()) is not None:
            if answer.destination == source:
                assert len(answer.payload) <= len(question)
                assert answer.payload[1] & 1
                found.append(answer.payload)
            else:
                self.simulation.network.send(self.member.address, answer.destination, answer.payload)
        return found

    def dropped(self, reason: DropReason) -> int:
        return self.node.statistics().dropped.get(reason, 0)

    def told(self) -> int:
        """The broadcasts that came to the other member."""
        self.simulation.run_for(1.0)
        return len(self.simulation.process("node-1").told(BroadcastReceived))


@pytest.mark.parametrize("keys", [(KEY,), (READER,), (OTHER, KEY)], ids=["member", "reader", "second"])
@pytest.mark.parametrize("source", [HOST, HERE], ids=["elsewhere", "here"])
def test_whoever_has_a_key_is_told_the_members(keys: tuple[Key, ...], source: Address) -> None:
    client = Talk().ask(What.MEMBERS, *keys, source=source)
    assert client.complete
    (page,) = client.pages
    assert isinstance(page, MembersPage)
    assert len(page.rows) == 2


@pytest.mark.parametrize("keys", [(), (OTHER,), (OTHER.reader_of(""),), (KEY.reader_of("another label"),)])
def test_nobody_else_is_answered_at_all(keys: tuple[Key, ...]) -> None:
    talk = Talk()
    assert not talk.ask(What.MEMBERS, *keys, source=HERE).complete
    assert talk.dropped(DropReason.UNKNOWN_KEY if keys else DropReason.NOT_SEALED) > 0


def test_holders_elsewhere_give_ten_orders_a_second_together_and_those_here_any_number() -> None:
    """Each makes a flood, and whoever has recorded some forges their sources."""
    talk = Talk()
    hosts = [Address(f"198.51.100.{number + 1}", 5) for number in range(60)]
    for number, host in enumerate(hosts):
        client = ToolClient(What.BROADCAST, b"x", destination=host, keys=Keys([KEY]), now=0.0, random=Random(number))
        question = client.poll_datagram()
        assert question is not None
        talk.feed(question.payload, host)
    assert talk.dropped(DropReason.RATE_LIMITED) == 50
    for number in range(20):
        assert talk.ask(What.BROADCAST, KEY, argument=b"x", source=HERE, seed=number).complete


def test_what_changes_anything_takes_a_members_key_whatever_the_setting() -> None:
    talk = Talk(Config.lan(answer_tools="anyone"))
    for keys in ((), (OTHER,), (READER,)):
        for what, argument in ((What.BROADCAST, b"x"), (What.JOIN, pack_addresses([HOST]))):
            for source in (HOST, HERE):
                client = talk.ask(what, *keys, argument=argument, source=source)
                assert not client.complete or client.pages[-1].refusal  # type: ignore[union-attr]
    assert talk.told() == talk.node.statistics().seeds == 0


@pytest.mark.parametrize(("policy", "answered"), [("holders", True), ("loopback", False), ("nobody", False)])
def test_settings_say_whether_other_hosts_are_answered(policy: str, answered: bool) -> None:
    config = Config.lan(answer_tools=policy)  # type: ignore[arg-type]
    assert Talk(config).ask(What.MEMBERS, KEY).complete is answered


def test_a_holder_has_a_member_broadcast_and_a_recording_of_that_does_nothing() -> None:
    talk = Talk()
    client = talk.ask(What.BROADCAST, KEY, argument=b"deploy")
    last = client.pages[-1]
    assert isinstance(last, Spoken)
    assert (last.number, len(client.pages)) == (1, 2)
    assert talk.told() == 1
    for _ in range(50):
        for question in talk.questions:
            talk.feed(question)
            talk.simulation.run_for(0.2)
    talk.simulation.run_for(600.0)
    for question in talk.questions:
        talk.feed(question)
        talk.feed(question, HERE)
    assert talk.told() == 1


def test_many_orders_do_not_let_an_old_one_be_done_again() -> None:
    talk = Talk()
    refused = 0
    for number in range(300):
        last = talk.ask(What.BROADCAST, KEY, argument=b"%d" % number, source=HERE, seed=number).pages[-1]
        assert isinstance(last, Spoken)
        refused += last.number is None
    assert refused == 44
    told = talk.told()
    for question in talk.questions:
        talk.feed(question, HERE)
    assert talk.told() == told == 256


@pytest.mark.parametrize("key", [KEY, READER], ids=["member", "reader"])
def test_a_node_tells_which_keys_it_holds_by_their_ids(key: Key) -> None:
    talk = Talk()
    other = talk.simulation.process("node-1")
    talk.simulation.set_keys(other, Keys([OTHER, KEY]))
    talk.simulation.run_for(3.0)
    page = talk.ask(What.KEYS, key).pages[-1]
    assert isinstance(page, KeysPage)
    assert page.held == [key_id(KEY, "")]
    assert (page.accepts_plain, page.plain, page.other) == (False, 0, 1)


def test_a_node_without_keys_tells_that() -> None:
    simulation = Simulation(3)
    node = simulation.add("a").node
    client = ToolClient(What.KEYS, destination=HERE, now=0.0, random=Random(1))
    question = client.poll_datagram()
    assert question is not None
    node.feed_datagram(question.payload, HERE, now=simulation.process("a").clock)
    answer = node.poll_datagram()
    assert answer is not None
    client.feed_datagram(answer.payload, now=0.0)
    (page,) = client.pages
    assert isinstance(page, KeysPage)
    assert (page.held, page.accepts_plain) == ([], True)


def test_a_reader_can_do_nothing_but_ask() -> None:
    talk = Talk()
    spoken = talk.ask(What.BROADCAST, READER, argument=b"x").pages[-1]
    joined = talk.ask(What.JOIN, READER, argument=pack_addresses([HOST])).pages[-1]
    for body in (spoken, joined):
        assert isinstance(body, Spoken | Joined)
        assert body.refusal == "a reader's key can only ask"
    assert talk.told() == 0
    assert talk.node.statistics().seeds == 0


def test_a_holder_gives_a_member_seeds() -> None:
    talk = Talk()
    joined = talk.ask(What.JOIN, KEY, argument=pack_addresses([HOST])).pages[-1]
    assert isinstance(joined, Joined)
    assert joined.seeds == 1
