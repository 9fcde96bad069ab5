"""Orders of tools to a node with keys: it obeys holders of a member's key, and no stranger, reader or recording."""

from collections.abc import Callable

import pytest

from support.inside import cursor_of
from support.sealed_talk import HERE, HOST, KEY, OTHER, READER, Talk
from swim_core import (
    Address,
    BroadcastReceived,
    Config,
    Key,
    LeaveOrdered,
    MemberPinged,
    MessageReceived,
    Rule,
    State,
)
from swim_core.native.tools.orders import ORDERS as ALL
from swim_core.native.wire.queries import What, pack_addresses, pack_letter
from swim_core.simulation import Process

ORDERS = {
    What.BROADCAST: b"x",
    What.JOIN: pack_addresses([HOST]),
    What.PING: b"node-1",
    What.SEND: pack_letter("node-1", b"x"),
    What.REMOVE: b"node-2",
    What.LEAVE: b"",
}
ANYWHERE = Config.lan(answer_tools="anyone")
"""The setting under which the most is answered."""
order = pytest.mark.parametrize("what", ORDERS, ids=lambda what: what.name)


class Ordered(Talk):
    """Two members and a dead one, and the effects of orders."""

    def __init__(self, config: Config = ANYWHERE, *, plain: bool = False) -> None:
        super().__init__(config, members=3, plain=plain)
        self.kill()

    def kill(self) -> None:
        """End node-2, and wait until both others know."""
        self.simulation.crash("node-2")
        self.simulation.run_until(lambda: all(self.state(number) is State.DEAD for number in (0, 1)), limit=20.0)

    def state(self, number: int) -> State | None:
        """What a member believes about node-2."""
        member = self.of(number).node.member("node-2")
        return None if member is None else member.state

    def of(self, number: int) -> Process:
        """A member."""
        return self.simulation.process(f"node-{number}")

    def effects(self) -> dict[What, int]:
        """How often each order has been carried out."""
        self.simulation.run_for(1.0)
        first, second = self.of(0), self.of(1)
        removed = second.node.explain("node-2")
        return {
            What.BROADCAST: len(second.told(BroadcastReceived)),
            What.JOIN: self.node.statistics().seeds,
            What.PING: len(first.told(MemberPinged)),
            What.SEND: len(second.told(MessageReceived)),
            What.REMOVE: int(removed is not None and removed.rule is Rule.REMOVED),
            What.LEAVE: len(first.told(LeaveOrdered)),
        }

    def expected(self, *done: What) -> dict[What, int]:
        """What `effects` is after each of these was carried out once."""
        return {what: int(what in done) for what in ORDERS}


def test_every_order_is_tested_here() -> None:
    assert ORDERS.keys() == ALL


@order
@pytest.mark.parametrize("source", [HOST, HERE], ids=["elsewhere", "here"])
def test_a_members_key_has_it_done_once(what: What, source: Address) -> None:
    talk = Ordered()
    client = talk.ask(what, KEY, argument=ORDERS[what], source=source)
    assert (client.complete, client.pages[-1].refusal) == (True, "")  # type: ignore[union-attr]
    assert talk.effects() == talk.expected(what)


@order
@pytest.mark.parametrize("source", [HOST, HERE], ids=["elsewhere", "here"])
@pytest.mark.parametrize("keys", [(), (OTHER,), (OTHER.reader_of(""),)], ids=["none", "another", "another's reader"])
def test_strangers_have_nothing_done_whatever_the_setting(what: What, source: Address, keys: tuple[Key, ...]) -> None:
    talk = Ordered()
    client = talk.ask(what, *keys, argument=ORDERS[what], source=source)
    assert (client.complete, client.pages) == (False, [])
    assert talk.effects() == talk.expected()


@order
@pytest.mark.parametrize("source", [HOST, HERE], ids=["elsewhere", "here"])
def test_a_reader_may_ask_and_may_not_order(what: What, source: Address) -> None:
    talk = Ordered()
    client = talk.ask(what, READER, argument=ORDERS[what], source=source)
    assert client.pages[-1].refusal == "a reader's key can only ask"  # type: ignore[union-attr]
    assert talk.effects() == talk.expected()
    for question in (What.MEMBERS, What.EVERYONE, What.REASON, What.KEYS, What.EVENTS, What.FIGURES):
        assert talk.ask(question, READER, argument=b"node-1" * (question is What.REASON), source=source).complete


@order
def test_recordings_of_an_order_do_nothing(what: What) -> None:
    talk = Ordered()
    talk.ask(what, KEY, argument=ORDERS[what])
    done = talk.effects()
    for pause in (0.2, 70.0, 200.0):
        for question in talk.questions:
            for source in (HOST, HERE, Address(HOST.host, 9)):
                talk.feed(question, source)
                talk.simulation.run_for(0.2)
        talk.simulation.run_for(pause)
    assert talk.effects() == done


def test_a_recorded_removal_does_not_remove_one_that_came_back_and_died_again() -> None:
    talk = Ordered()
    talk.ask(What.REMOVE, KEY, argument=b"node-2")
    talk.simulation.restart("node-2", join=["node-0"])
    talk.simulation.run_until(lambda: talk.state(0) is State.ALIVE, limit=20.0)
    talk.kill()
    for question in talk.questions:
        talk.feed(question)
        talk.simulation.run_for(0.2)
    assert talk.state(0) is State.DEAD


@order
def test_the_cookie_of_an_order_serves_no_other(what: What) -> None:
    """Neither does the same one from another address."""
    talk = Ordered()
    cookie = cursor_of(talk.ask(what, KEY, argument=ORDERS[what]))
    assert cookie > 0
    done = talk.effects()
    for other, argument in ORDERS.items():
        for source in (Address("198.51.100.8", HOST.port), HERE):
            talk.ask(other, KEY, argument=argument, source=source, cursor=cookie, seed=2)
        if other is not what:
            talk.ask(other, KEY, argument=argument, cursor=cookie, seed=3)
    assert talk.effects() == done


@pytest.mark.parametrize(("what", "argument"), [(What.BROADCAST, b"another"), (What.PING, b"node-1")])
def test_nor_another_argument_nor_another_order_with_the_same_one(what: What, argument: bytes) -> None:
    talk = Ordered()
    cookie = cursor_of(talk.ask(What.BROADCAST, KEY, argument=b"node-1"))
    talk.ask(what, KEY, argument=argument, cursor=cookie, seed=2)
    assert talk.effects() == talk.expected(What.BROADCAST)


def plain(policy: str) -> Ordered:
    return Ordered(Config.lan(answer_tools=policy), plain=True)  # type: ignore[arg-type]


@order
@pytest.mark.parametrize("make", [lambda: plain("anyone"), lambda: plain("holders")], ids=["anyone", "holders"])
def test_without_keys_orders_are_obeyed_from_this_host_only(what: What, make: Callable[[], Ordered]) -> None:
    talk = make()
    assert not talk.ask(what, argument=ORDERS[what]).complete
    assert talk.effects() == talk.expected()
    assert talk.ask(what, argument=ORDERS[what], source=HERE).complete
    assert talk.effects() == talk.expected(what)


@order
def test_nor_in_plain_text_from_elsewhere_while_plain_datagrams_are_taken(what: What) -> None:
    talk = Ordered(Config.lan(answer_tools="anyone", plain="accept"))
    assert not talk.ask(what, argument=ORDERS[what]).complete
    assert talk.effects() == talk.expected()
