"""Tools and a node with keys: which ones are answered, and that a recording gets no answer."""

from random import Random

import pytest

from support.sealed_talk import HERE, HOST, KEY, OTHER, READER, Talk
from swim_core import Address, Config, DropReason, Key, Keys
from swim_core.native.sealing.ring import key_id
from swim_core.native.tools.client import ToolClient
from swim_core.native.wire.answers import Joined, KeysPage, MembersPage, Spoken
from swim_core.native.wire.queries import What, pack_addresses
from swim_core.simulation import Simulation


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
    """Each causes a flood, and an attacker who has recorded some can forge their sources."""
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


def test_a_question_that_was_recorded_is_answered_once_at_each_member() -> None:
    """Its answer costs as much as ten pings, and sources can be forged."""
    talk = Talk()
    assert talk.ask(What.MEMBERS, KEY).complete
    (question,) = talk.questions
    assert all(talk.feed(question, Address(f"198.51.100.{number}", 5)) == [] for number in range(1, 200))
    assert talk.dropped(DropReason.REPLAYED) == 199


def test_all_other_hosts_together_get_a_hundred_pages_a_second() -> None:
    talk = Talk()
    answered = 0
    for number in range(150):
        host = Address(f"198.51.100.{number + 1}", 5)
        client = ToolClient(What.MEMBERS, destination=host, keys=Keys([KEY]), now=0.0, random=Random(number))
        question = client.poll_datagram()
        assert question is not None
        answered += len(talk.feed(question.payload, host))
    assert (answered, talk.dropped(DropReason.RATE_LIMITED)) == (100, 50)
    assert talk.ask(What.MEMBERS, KEY, source=HERE).complete


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


def test_a_holder_gives_a_member_seeds() -> None:
    talk = Talk()
    joined = talk.ask(What.JOIN, KEY, argument=pack_addresses([HOST])).pages[-1]
    assert isinstance(joined, Joined)
    assert joined.seeds == 1
