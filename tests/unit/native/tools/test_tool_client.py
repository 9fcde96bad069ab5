"""The asking side: pages are put together, losses are made up for, and it always ends."""

from random import Random
from typing import Any

import pytest

from support.datagrams import opened, pack_datagram
from support.hand import Hand, peers
from support.inside import nonce_of
from support.tool_client import HERE, LABEL, LOCAL, REMOTE, TELLER, client, converse, page
from swim_core import Address, Config, State
from swim_core.native.tools.client import FIRST_RETRY, MAX_PAGES, PATIENCE, Failure, ToolClient
from swim_core.native.wire.answers import MembersPage, Row, Spoken, Standing, Teller
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.datagram import Flags, encode_item
from swim_core.native.wire.queries import ASK_SIZE, Ask, What

FAR = Address("203.0.113.5", 7946)


def asking(
    what: What = What.MEMBERS, argument: bytes = b"", *, destination: Address = HERE, **options: Any
) -> ToolClient:
    return ToolClient(what, argument, destination=destination, now=0.0, random=Random(1), **options)


class Zeros(Random):
    """Gives 0 for a nonce."""

    def getrandbits(self, k: int, /) -> int:
        return 0


def asked(who: ToolClient) -> Ask:
    """The question that is due now."""
    datagram = who.poll_datagram()
    assert datagram is not None
    message = opened(datagram.payload).message
    assert isinstance(message, Ask)
    return message


def row(name: str) -> Row:
    return Row(Claim(name, 1, TELLER.address, 0, State.ALIVE, b""), 1, None, None, 0)


def tick(who: ToolClient) -> float:
    """Let it wait as long as it asks for; returns the time."""
    deadline = who.poll_deadline()
    assert deadline is not None
    who.feed_tick(now=deadline)
    return deadline


# ------------------------------------------------------------------ asking


def test_the_question_goes_out_at_once_padded_to_a_full_datagram() -> None:
    who = asking(What.REASON, b"eve")
    datagram = who.poll_datagram()
    assert datagram is not None
    assert (datagram.destination, len(datagram.payload)) == (HERE, ASK_SIZE)
    ask = opened(datagram.payload).message
    assert isinstance(ask, Ask)
    assert (ask.what, ask.argument, ask.cursor) == (What.REASON, b"eve", 0)
    assert opened(datagram.payload).sender == 0
    assert who.poll_datagram() is None


@pytest.mark.parametrize("size", [0, 800, 899, 900, 901, 902, 903, 1_000, 1_100, 1_160, 1_200, 60_000])
def test_a_long_argument_takes_the_place_of_the_padding(size: int) -> None:
    datagram = asking(What.BROADCAST, bytes(size)).poll_datagram()
    assert datagram is not None
    assert len(datagram.payload) <= max(ASK_SIZE, size + 60)
    assert len(datagram.payload) == ASK_SIZE or size >= 900


def test_an_answer_of_one_page_completes_it() -> None:
    who = asking()
    who.feed_datagram(page(asked(who).nonce), now=0.1)
    assert (who.complete, who.done, who.failure) == (True, True, None)
    assert who.pages == [MembersPage(TELLER, [])]
    assert who.poll_deadline() is None


def test_the_next_page_is_asked_for_where_the_last_one_said() -> None:
    who = asking()
    first = asked(who)
    who.feed_datagram(page(first.nonce, 77), now=0.1)
    second = asked(who)
    assert (second.cursor, second.what) == (77, What.MEMBERS)
    assert second.nonce != first.nonce
    who.feed_datagram(page(second.nonce), now=0.1)
    assert who.complete
    assert len(who.pages) == 2


# ------------------------------------------------------------------ losses


def test_a_lost_question_is_asked_again_ever_more_patiently_with_the_same_nonce() -> None:
    who = asking()
    nonces, times = [asked(who).nonce], [0.0]
    while not who.done:
        now = tick(who)
        if not who.done:
            nonces.append(asked(who).nonce)
            times.append(now)
    assert times == pytest.approx([0.0, FIRST_RETRY, 3 * FIRST_RETRY, 7 * FIRST_RETRY])
    assert len(set(nonces)) == 1
    assert who.failure is Failure.SILENT


def test_it_gives_up_after_two_seconds() -> None:
    who = asking()
    who.feed_tick(now=PATIENCE - 0.01)
    assert not who.done
    who.feed_tick(now=PATIENCE)
    assert who.failure is Failure.SILENT
    who.feed_datagram(page(nonce_of(who)), now=PATIENCE)
    assert not who.complete


def test_two_seconds_count_from_the_last_page() -> None:
    who = asking()
    now = 0.0
    for cursor in range(1, 20):
        now += 1.9
        who.feed_datagram(page(nonce_of(who), cursor), now=now)
    assert not who.done
    who.feed_tick(now=now + PATIENCE + 0.2)
    assert who.failure is Failure.SILENT


def test_a_node_answers_though_half_of_all_datagrams_are_lost() -> None:
    hand, random = Hand(knows=peers(100)), Random(3)
    who = client(hand, What.MEMBERS)
    converse(hand, who, deliver=lambda data: [data] if random.random() < 0.7 else [])
    assert who.complete
    assert sum(len(page.rows) for page in who.pages if isinstance(page, MembersPage)) == 101


def test_duplicates_change_nothing() -> None:
    hand = Hand(knows=peers(100))
    who = client(hand, What.MEMBERS)
    converse(hand, who, deliver=lambda data: [data, data])
    names = [row.claim.name for page in who.pages if isinstance(page, MembersPage) for row in page.rows]
    assert len(names) == len(set(names)) == 101


def test_a_broadcast_is_made_once_though_its_answers_are_lost() -> None:
    hand = Hand(knows=peers(2))
    who = client(hand, What.BROADCAST, b"once")
    dropped = iter([False, True, False, True, False, False])  # each question arrives, two answers don't
    converse(hand, who, deliver=lambda data: [] if next(dropped) else [data])
    assert who.complete
    assert isinstance(who.pages[0], Spoken)
    assert who.pages[0].number == 1
    assert hand.node.broadcast(b"x", now=hand.now) == 2


def test_a_large_view_of_another_host_comes_at_the_pace_it_allows() -> None:
    hand = Hand(knows=peers(100), config=Config.lan(answer_tools="anyone"))
    who = ToolClient(What.MEMBERS, destination=FAR, now=hand.now, random=Random(1))
    began = hand.now
    sent = converse(hand, who, source=REMOTE)
    assert who.complete
    assert sent == len(who.pages)  # none was sent too early
    assert hand.now - began == pytest.approx(0.11 * (sent - 1))


# ------------------------------------------------------------------ what is no answer


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        b"x" * 2_000,
        page(0, label=LABEL ^ 1),
        page(0, flags=Flags.SEALED),
        b"\x02" + page(0)[1:],
        page(1),
        page(0, body=[]),
        page(0, body=[TELLER, [1]]),
        page(0, body=Spoken(TELLER, 1)),
        page(0, body=MembersPage(Teller("a\x1b[2J", TELLER.address, 0, 1, 0, Standing.FINE), [])),
        page(0, body=MembersPage(Teller("ann", b"1234567", 0, 1, 0, Standing.FINE), [])),
        pack_datagram(LABEL, 0, 1),
        pack_datagram(LABEL, 0, 1, encode_item(Ask(0, What.MEMBERS, 0))),
    ],
    ids=range(14),
)
def test_what_is_no_answer_to_the_question_is_ignored(data: bytes) -> None:
    who = ToolClient(What.MEMBERS, destination=HERE, now=0.0, random=Zeros())
    who.feed_datagram(data, now=0.1)
    assert not who.done
    who.feed_datagram(page(0), now=0.1)
    assert who.complete


def test_an_answer_longer_than_the_question_is_none() -> None:
    """Otherwise a hostile node could make a tool keep 64 kB a page."""
    who = asking()
    rows = [row(f"m{number}") for number in range(100)]
    who.feed_datagram(page(asked(who).nonce, body=MembersPage(TELLER, rows)), now=0.1)
    assert not who.pages


def test_an_answer_to_the_last_page_is_none_to_this_one() -> None:
    who = asking()
    first = asked(who)
    who.feed_datagram(page(first.nonce, 5), now=0.1)
    who.feed_datagram(page(first.nonce, 5), now=0.1)
    assert len(who.pages) == 1


@pytest.mark.parametrize("next_", [0, 5])
def test_an_answer_that_goes_in_circles_ends(next_: int) -> None:
    who = asking()
    who.feed_datagram(page(asked(who).nonce, 5), now=0.1)
    who.feed_datagram(page(asked(who).nonce, next_), now=0.1)
    assert who.failure is Failure.ENDLESS


def test_an_answer_without_end_ends() -> None:
    who = asking()
    for cursor in range(1, MAX_PAGES + 1):
        assert not who.done
        who.feed_datagram(page(nonce_of(who), cursor), now=0.1)
    assert who.failure is Failure.ENDLESS


# ------------------------------------------------------------------ refusals, clusters, clocks


def test_a_refusal_that_quotes_the_question_ends_it_at_once() -> None:
    who = asking()
    datagram = who.poll_datagram()
    assert datagram is not None
    who.feed_refused(FAR, datagram.payload, now=0.0)
    who.feed_refused(HERE, b"", now=0.0)
    who.feed_refused(HERE, b"something else", now=0.0)
    assert not who.done
    who.feed_refused(HERE, datagram.payload[:64], now=0.0)
    assert who.failure is Failure.REFUSED


def test_another_cluster_does_not_answer() -> None:
    hand = Hand(config=Config.lan(cluster="blue"))
    stranger = client(hand, What.MEMBERS, cluster="green")
    converse(hand, stranger)
    assert stranger.failure is Failure.SILENT
    friend = client(hand, What.MEMBERS, cluster="blue")
    converse(hand, friend)
    assert friend.complete


def test_an_answer_from_another_address_of_the_same_host_counts() -> None:
    hand = Hand(knows=peers(2), address=("10.0.0.1", 7946))
    who = client(hand, What.MEMBERS)
    converse(hand, who, source=LOCAL)
    assert who.complete


def test_a_clock_that_goes_backwards_does_no_harm() -> None:
    who = asking()
    who.feed_tick(now=1.0)
    who.feed_tick(now=-5.0)
    who.feed_tick(now=2.0)
    assert who.failure is Failure.SILENT
