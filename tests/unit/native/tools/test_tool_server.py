"""The answering side: what a tool is told without being a member, and what it can't cause."""

from functools import partial
from typing import Any, cast

import msgspec
import pytest

from support.accuser import Accuser
from support.hand import EPOCH, RTT, UNIX_MS, Hand, Peer, Sent, peer, peers
from support.inside import parts_of
from support.measures import calls, sizes
from support.tool_client import LOCAL, REMOTE, ask_bytes, told
from swim_anyio.command.tools.reading import standing_words
from swim_core import (
    Address,
    BroadcastReceived,
    Config,
    ConfigError,
    DropReason,
    MemberLeft,
    Rule,
    State,
)
from swim_core.address import pack
from swim_core.native.settings import AnswerTools
from swim_core.native.wire.answers import Joined, MembersPage, ReasonPage, Row, Spoken, Standing, decode_body
from swim_core.native.wire.claim import as_member, pack_metadata
from swim_core.native.wire.messages import Ack, Broadcast, Join, JoinAck, Ping, WantClaim
from swim_core.native.wire.queries import Ask, Tell, What, pack_addresses
from swim_core.shared.observations import PER_MEMBER

A, B, C = peers(3)
OTHER_HOSTS = [Address("198.51.100.7", 5), Address("10.0.0.1", 5), Address("2001:db8::1", 5), Address("128.0.0.1", 5)]
THIS_HOST = [Address("127.0.0.1", 5), Address("127.9.9.9", 5), Address("::1", 5)]


def rows(hand: Hand, what: What = What.MEMBERS, **options: Any) -> dict[str, Row]:
    pages = cast(list[MembersPage], told(hand, what, **options))
    found = [row for page in pages for row in page.rows]
    assert len({row.claim.name for row in found}) == len(found)
    return {row.claim.name: row for row in found}


def reason(hand: Hand, name: str, **options: Any) -> ReasonPage:
    """The pages of a reason, joined into one."""
    pages = cast(list[ReasonPage], told(hand, What.REASON, name.encode(), **options))
    return ReasonPage(pages[-1].teller, pages[-1].row, [note for page in pages for note in page.notes])


def spoken(hand: Hand, payload: bytes, *, seed: int = 1) -> Spoken:
    (page,) = told(hand, What.BROADCAST, payload, seed=seed)
    return cast(Spoken, page)


def answers(hand: Hand, data: bytes, source: Address) -> list[Sent]:
    return [sent for sent in hand.feed_bytes(data, source) if sent.to == source]


def tell(sent: Sent) -> Tell:
    assert isinstance(sent.message, Tell)
    return sent.message


# ------------------------------------------------------------------ members


def test_members_are_those_of_the_view() -> None:
    hand = Hand(knows=[A, B], metadata={"role": "cache"})
    seen = rows(hand)
    assert [as_member(seen[m.name].claim) for m in hand.node.members()] == list(hand.node.members())
    assert sorted(seen) == [m.name for m in hand.node.members()]


def test_the_gone_are_told_on_request_with_who_judged_them_and_where_that_one_is() -> None:
    hand = Hand(knows=[A, B, C])
    hand.feed(A, claims=[B.claim(State.DEAD, by=C.short_id, rule=Rule.GONE, time=hand.cluster_time)])
    assert "p2" not in rows(hand)
    row = rows(hand, What.EVERYONE)["p2"]
    assert (row.claim.state, row.rule, row.accuser) == (State.DEAD, Rule.GONE, "p3")
    assert row.accuser_address == pack(C.address)


def test_of_one_that_is_gone_the_metadata_of_its_last_run_is_told() -> None:
    web = Peer("web", Address("10.0.0.9", 7946), EPOCH, metadata=pack_metadata({"role": "web"}, 512))
    hand = Hand(knows=[A, web])

    def last() -> bytes | None:
        return rows(hand, What.EVERYONE)["web"].last_metadata

    assert last() is None
    hand.feed(A, claims=[web.claim(State.SUSPECT, time=hand.cluster_time)])
    assert last() is None
    hand.feed(A, claims=[web.claim(State.DEAD, time=hand.cluster_time)])
    assert last() == web.metadata
    hand.feed(A, claims=[web.claim(State.LEFT)])
    assert last() == web.metadata
    assert reason(hand, "web").row == msgspec.structs.replace(rows(hand, What.EVERYONE)["web"], last_metadata=None)
    hand.feed(web, claims=[web.claim(incarnation=1)])
    assert last() is None
    again = Peer("web", Address("10.0.0.9", 7946), EPOCH + (1 << 30))
    hand.feed(A, claims=[again.claim(State.DEAD, time=hand.cluster_time)])
    assert last() is None


def test_an_unknown_accuser_has_no_address() -> None:
    hand = Hand(knows=[A, B])
    hand.feed(A, claims=[B.claim(State.SUSPECT, by=0xABC, time=hand.cluster_time)])
    row = rows(hand)["p2"]
    assert (row.accuser, row.accuser_address, row.rule) == (f"{0xABC:016x}", None, Rule.SUSPICION)


def test_a_row_says_how_old_it_is_when_the_member_was_heard_and_its_round_trip() -> None:
    hand = Hand(knows=[A])
    hand.run(10.0)
    contact = hand.node.contact("p1", now=hand.now)
    row = rows(hand)["p1"]
    assert contact is not None
    assert contact.heard is not None
    assert (row.age, row.heard) == (round(contact.age * 1e3), round(contact.heard * 1e3))
    assert row.round_trip == round(RTT * 1e6)
    assert row.unanswered == 0
    own = rows(hand)["me"]
    assert (own.heard, own.round_trip, own.accuser) == (None, None, "")


def test_the_teller_says_who_it_is_and_how_many_there_are() -> None:
    hand = Hand(knows=[A, B, C])
    hand.feed(A, claims=[B.claim(State.LEFT)])
    teller = told(hand, What.MEMBERS)[0].teller
    assert (teller.name, teller.address) == ("me", pack(hand.me.address))
    assert (teller.live, teller.gone, teller.standing) == (3, 1, Standing.FINE)
    assert teller.time == hand.cluster_time


def test_a_large_view_comes_page_by_page_complete() -> None:
    hand = Hand(knows=peers(300))
    pages = told(hand, What.MEMBERS)
    assert 5 < len(pages) < 40
    assert len(rows(hand)) == 301


def test_the_largest_rows_fit() -> None:
    metadata = msgspec.msgpack.encode({"k": "v" * 506})
    large = [
        Peer(
            f"{number:02}" + "n" * 62,
            Address(f"2001:db8::{number + 1}", 7946),
            EPOCH,
            metadata=metadata,
        )
        for number in range(4)
    ]
    assert len(metadata) <= 512
    accuser = large[0]
    hand = Hand("m" * 64, address=("2001:db8:1:2:3:4:5:6", 65_535), knows=large)
    for each in large[1:]:
        hand.feed(accuser, claims=[each.claim(State.SUSPECT, incarnation=2**32 - 1, by=accuser.short_id)])
    seen = rows(hand)
    assert len(seen) == 5
    assert seen[large[1].name].claim.metadata == metadata
    assert seen[large[1].name].accuser == accuser.name


def test_a_view_that_changes_between_pages_loses_nobody_that_stays() -> None:
    known, coming = peers(120), iter(peers(120, 1_000))
    hand = Hand(knows=known)

    def change() -> None:
        hand.feed(known[0], claims=[next(coming).claim() for _ in range(3)])
        leaver = next(m for m in hand.node.members() if m.name.startswith("p1"))
        gone = next(k for k in known[1:] if k.name == leaver.name) if leaver.name != "p1" else known[50]
        hand.feed(known[0], claims=[gone.claim(State.LEFT)])

    before = {m.name for m in hand.node.members()}
    seen = rows(hand, between=change)
    after = {m.name for m in hand.node.members()}
    assert before & after <= set(seen) <= before | after


def test_names_at_one_place_of_the_order_do_not_stop_the_pages() -> None:
    hand = Hand(knows=peers(60))
    ring = parts_of(hand.node).table.topology.order

    def put_all_at(phase: int) -> None:
        for entry in list(ring):
            ring.remove(entry.phase, entry)
            entry.phase = phase
            ring.add(phase, entry)

    put_all_at(ring[0].phase)
    assert 1 < len(told(hand, What.MEMBERS)) < 10
    put_all_at(2**64 - 1)
    assert len(told(hand, What.MEMBERS)) in (1, 2)


# ------------------------------------------------------------------ reasons


def test_the_accuser_tells_how_it_came_to_its_verdict() -> None:
    hand = Accuser(6)
    sent = hand.accuse()
    hand.until(lambda: hand.verdict() is State.DEAD, 8.0)
    page = reason(hand, hand.subject.name)
    assert page.row is not None
    assert (page.row.rule, page.row.accuser) == (Rule.SILENT, "me")
    words = [note.what for place, note in enumerate(page.notes) if place == 0 or note.what != "probe timed out"]
    beginning = ["probe timed out", "watch began", "accused", "asked helpers"]
    assert words == [*beginning, *["vote silent"] * 3, "declared suspect", "polled", "declared dead"]
    helpers = [helper.name for helper in hand.helpers[:3]]
    assert page.notes[3].detail == ", ".join(helpers)
    votes = [note for note in page.notes if note.what == "vote silent"]
    assert [note.observer for note in votes] == helpers
    assert all(note.count > 5 and note.last > note.at for note in votes)
    assert all(name in page.notes[-1].detail for name in helpers)
    assert page.notes[0].at - UNIX_MS == pytest.approx(
        (sent + parts_of(hand.node).context.rtt.probe_timeout) * 1e3, abs=2
    )
    assert page.notes[-1].at == pytest.approx(page.row.claim.verdict.time, abs=2)  # type: ignore[union-attr]


def test_a_helper_tells_who_asked_it_and_what_it_heard_of_the_verdict() -> None:
    hand = Hand(knows=[A, B, C])
    hand.answering = [A, C]
    hand.feed(A, claims=[B.claim(State.DEAD, by=A.short_id, rule=Rule.GONE, time=hand.cluster_time)])
    page = reason(hand, "p2")
    assert [(note.observer, note.what, note.detail) for note in page.notes] == [("p1", "claimed dead", "rule gone")]


def test_a_member_that_nothing_was_held_against_has_no_notes() -> None:
    hand = Hand(knows=peers(5))
    page = reason(hand, "p2")
    assert page.row is not None
    assert page.row.claim.state is State.ALIVE
    assert page.notes == []


def test_a_recovery_is_part_of_the_story() -> None:
    hand = Hand(knows=[A, B])
    hand.feed(A, claims=[B.claim(State.SUSPECT, by=A.short_id, time=hand.cluster_time)])
    hand.feed(B, claims=[B.claim(incarnation=1)])
    story = [(note.observer, note.what, note.detail) for note in reason(hand, "p2").notes]
    assert story == [("p1", "claimed suspect", "rule suspicion"), ("p2", "claimed alive", "incarnation 1")]


def test_an_unknown_name_has_no_reason() -> None:
    hand = Hand(knows=[A])
    for name in (b"nobody", b"", b"\xff\xfe", "ä".encode() * 600):
        page = cast(ReasonPage, told(hand, What.REASON, name)[0])
        assert (page.row, page.notes) == (None, [])


def test_reasons_come_page_by_page_and_each_once() -> None:
    hand = Hand(knows=[A, B, *(helpers := peers(40, 100))])
    for helper in helpers:
        parts_of(hand.node).evidence_log.note(
            "p2", f"said by {helper.name}", hand.now, by=helper.short_id, detail="x" * 900
        )
    pages = told(hand, What.REASON, b"p2")
    assert len(pages) > 3
    notes = [note for page in cast(list[ReasonPage], pages) for note in page.notes]
    assert [note.observer for note in notes] == [helper.name for helper in helpers[-PER_MEMBER:]]


def test_reasons_that_grow_between_pages_come_once_and_end() -> None:
    hand = Hand(knows=[A, B])
    count = iter(range(10_000))

    def grow() -> None:
        for _ in range(3):
            parts_of(hand.node).evidence_log.note("p2", f"thing {next(count)}", hand.now, detail="x" * 200)

    for _ in range(10):
        grow()
    words = [note.what for note in reason(hand, "p2", between=grow).notes]
    assert words == sorted(set(words), key=lambda word: int(word.split()[1]))
    assert len(words) >= PER_MEMBER - 3


def test_the_reason_of_one_with_large_metadata_leaves_room_for_the_notes() -> None:
    packed = msgspec.msgpack.encode({"k": "v" * 500})
    large = Peer("n" * 64, Address("10.9.0.1", 7946), EPOCH, metadata=packed)
    hand = Hand(knows=[A, large])
    parts_of(hand.node).evidence_log.note(large.name, "w" * 40, hand.now, by=large.short_id, detail="ä" * 240)
    page = reason(hand, large.name)
    assert page.row is not None
    assert (page.row.claim.metadata, len(page.notes)) == (b"", 1)


# ------------------------------------------------------------------ broadcasts


def test_a_broadcast_is_the_asked_members_own() -> None:
    hand = Hand(knows=[A, B])
    assert spoken(hand, b"hello").number == 1
    told_on = [b for sent in hand.sent for b in sent.envelope.broadcasts]
    assert {(b.origin, b.number, b.payload) for b in told_on} == {("me", 1, b"hello")}
    assert not hand.happened(BroadcastReceived)
    assert hand.node.broadcast(b"next", now=hand.now) == 2


def joined(hand: Hand, *addresses: Address) -> Joined:
    (page,) = told(hand, What.JOIN, pack_addresses(addresses))
    return cast(Joined, page)


def test_seeds_that_a_tool_adds_are_asked_beside_the_others_whatever_the_application_joins() -> None:
    hand = Hand()
    mine, theirs = Address("10.9.9.9", 1), Address("10.9.9.8", 1)
    hand.node.join([mine], now=hand.now)
    assert joined(hand, theirs, mine, hand.me.address).seeds == 2
    assert joined(hand, theirs).seeds == 2
    assert any(sent.to == theirs and isinstance(sent.message, Join) for sent in hand.sent)
    hand.node.join([], now=hand.now)
    assert hand.node.statistics().seeds == 1
    assert joined(hand).seeds == 1


def test_tools_add_so_many_seeds_and_no_more() -> None:
    hand = Hand()
    assert joined(hand, *(Address("10.9.9.9", port) for port in range(1, 65))).seeds == 64
    refused = joined(hand, Address("10.9.9.8", 1))
    assert (refused.seeds, refused.refusal) == (None, "at most 64 seeds can be added to a running member")
    assert hand.node.statistics().seeds == 64


def test_one_that_has_left_takes_no_seeds() -> None:
    hand = Hand()
    hand.node.leave(now=hand.now)
    assert (joined(hand, A.address).seeds, joined(hand, A.address).refusal) == (None, "it has left")


@pytest.mark.parametrize(
    "argument", [b"", b"x", b"\x91\xc4\x02ab", pack_addresses([A.address]) + b"x", b"\x91" * 5_000]
)
def test_what_is_no_list_of_addresses_is_refused(argument: bytes) -> None:
    hand = Hand()
    (page,) = told(hand, What.JOIN, argument)
    assert (cast(Joined, page).seeds, cast(Joined, page).refusal) == (None, "that is no list of addresses")
    assert hand.node.statistics().seeds == 0


@pytest.mark.parametrize("policy", ["holders", "loopback", "anyone", "nobody"])
@pytest.mark.parametrize("what", [What.JOIN, What.BROADCAST])
def test_what_changes_anything_is_for_this_host_alone(policy: AnswerTools, what: What) -> None:
    """Even those who may read: one forged datagram would make a cluster flood, or a node ask any address."""
    hand = Hand(knows=[A], config=Config.lan(answer_tools=policy))
    data = ask_bytes(hand, Ask(7, what, 0, pack_addresses([B.address])))
    for source in OTHER_HOSTS:
        assert not answers(hand, data, source)
    assert hand.dropped(DropReason.NOT_ALLOWED) == len(OTHER_HOSTS)
    assert hand.node.statistics().seeds == 0
    assert hand.node.broadcast(b"x", now=hand.now) == 1
    assert bool(answers(hand, data, LOCAL)) is (policy != "nobody")


def test_a_question_that_is_asked_again_is_not_broadcast_again() -> None:
    hand = Hand(knows=[A, B])
    data = ask_bytes(hand, Ask(7, What.BROADCAST, 0, b"once"))
    first, second = (answers(hand, data, LOCAL) for _ in range(2))
    assert first[0].message == second[0].message
    other = answers(hand, ask_bytes(hand, Ask(8, What.BROADCAST, 0, b"once")), LOCAL)
    numbers = [decode_body(What.BROADCAST, tell(sent).body).number for sent in (*first, *other)]  # type: ignore[union-attr]
    assert numbers == [1, 2]


def test_what_was_broadcast_is_remembered_within_bounds() -> None:
    hand = Hand(knows=[A, B])
    for nonce in range(2_000):
        hand.feed_bytes(ask_bytes(hand, Ask(nonce, What.BROADCAST, 0, b"x" * 300), size=500), LOCAL)
    assert sizes(hand.node)["Orders._done"] == 256


def test_a_refused_broadcast_says_why() -> None:
    hand = Hand(knows=[A])
    answer = spoken(hand, b"x" * 257)
    assert answer.number is None
    assert "max_broadcast" in answer.refusal
    hand.node.leave(now=hand.now)
    answer = spoken(hand, b"x", seed=2)
    assert answer.number is None
    assert "left" in answer.refusal


# ------------------------------------------------------------------ who may ask


@pytest.mark.parametrize("source", THIS_HOST, ids=str)
def test_tools_on_this_host_are_answered_by_default(source: Address) -> None:
    hand = Hand(knows=[A])
    for nonce in range(5):
        assert answers(hand, ask_bytes(hand, Ask(nonce, What.MEMBERS, 0)), source)


@pytest.mark.parametrize("what", What)
@pytest.mark.parametrize("source", OTHER_HOSTS, ids=str)
def test_others_are_not_answered_by_default(source: Address, what: What) -> None:
    hand = Hand(knows=[A])
    assert answers(hand, ask_bytes(hand, Ask(1, what, 0, b"p1")), source) == []
    assert hand.dropped(DropReason.NOT_ALLOWED) == 1
    assert hand.node.broadcast(b"x", now=hand.now) == 1  # none was sent for the asker


@pytest.mark.parametrize("source", [THIS_HOST[0], OTHER_HOSTS[0]], ids=str)
def test_nobody_is_answered_where_nobody_may_ask(source: Address) -> None:
    hand = Hand(knows=[A], config=Config.lan(answer_tools="nobody"))
    assert answers(hand, ask_bytes(hand, Ask(1, What.MEMBERS, 0)), source) == []
    assert hand.dropped(DropReason.NOT_ALLOWED) == 1


def test_a_remote_host_gets_a_page_per_tenth_of_a_second_from_whatever_port() -> None:
    hand = Hand(knows=[A], config=Config.lan(answer_tools="anyone"))
    ports = iter(range(5_000, 6_000))
    answered = 0
    for nonce in range(100):
        source = Address(REMOTE.host, next(ports))
        answered += len(answers(hand, ask_bytes(hand, Ask(nonce, What.MEMBERS, 0)), source))
        hand.run(0.01)
    assert answered in (9, 10)
    assert hand.dropped(DropReason.RATE_LIMITED) == 100 - answered
    assert answers(hand, ask_bytes(hand, Ask(1, What.MEMBERS, 0)), Address("203.0.113.9", 5))


def test_the_hosts_remembered_are_bounded() -> None:
    hand = Hand(config=Config.lan(answer_tools="anyone"))
    data = ask_bytes(hand, Ask(1, What.MEMBERS, 0))
    for number in range(5_000):
        hand.node.feed_datagram(data, (f"198.51.{number // 250}.{number % 250 + 1}", 5), now=hand.now)
        while hand.node.poll_datagram() is not None:
            pass
    assert sizes(hand.node)["ToolServer._last"] == 4_096


def test_an_unusual_value_is_refused_and_its_variable_named() -> None:
    with pytest.raises(ConfigError, match="loopback, anyone, nobody"):
        Config.lan(answer_tools="friends")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="SWIM_ANSWER_TOOLS"):
        Config.from_env({"SWIM_ANSWER_TOOLS": "friends"})
    assert Config.from_env({"SWIM_ANSWER_TOOLS": "anyone"}).answer_tools == "anyone"


# ------------------------------------------------------------------ what asking can't bring about


@pytest.mark.parametrize("what", What)
@pytest.mark.parametrize("size", [30, 60, 150, 200, 300, 500, 900, 1_200, 5_000, 60_000])
def test_no_answer_is_longer_than_its_question(what: What, size: int) -> None:
    hand = Hand(knows=peers(200))
    for number in range(40):
        parts_of(hand.node).evidence_log.note("p2", f"thing {number}", hand.now, detail="x" * 200)
    data = ask_bytes(hand, Ask(1, what, 0, b"p2"), size=size)
    for sent in answers(hand, data, LOCAL):
        assert sent.size <= min(len(data), 1_200)


def test_a_question_too_short_for_any_answer_is_counted_and_not_answered() -> None:
    hand = Hand(knows=[A])
    assert answers(hand, ask_bytes(hand, Ask(1, What.MEMBERS, 0), size=60), LOCAL) == []
    assert hand.dropped(DropReason.RATE_LIMITED) == 1


def test_a_tool_is_no_member_whatever_it_says_of_itself() -> None:
    """Not even under a member's name and from its address: an ASK proves nothing and brings no news."""
    hand = Hand(knows=[A, B], config=Config.lan(answer_tools="anyone"))
    stranger = peer(9)
    before = hand.node.contact("p1", now=hand.now)
    hand.clear()
    for sender, source in ((stranger.short_id, REMOTE), (A.short_id, A.address), (A.short_id, LOCAL), (0, LOCAL)):
        lists: dict[str, Any] = {"claims": [stranger.claim()], "broadcasts": [Broadcast("p1", A.epoch, 1, b"x")]}
        sent = hand.feed_bytes(ask_bytes(hand, Ask(1, What.MEMBERS, 0), sender=sender, **lists), source)
        assert [type(each.message) for each in sent] == [Tell]
        assert sent[0].claims == []
    assert hand.node.member("p9") is None
    assert hand.events == []
    assert hand.messages(WantClaim) == []
    assert hand.node.contact("p1", now=hand.now) == before


def test_asking_ends_no_watch() -> None:
    hand = Accuser(4, config=Config.lan(answer_tools="anyone"))
    hand.accuse()
    source = hand.subject.address
    hand.feed_bytes(ask_bytes(hand, Ask(1, What.MEMBERS, 0), sender=hand.subject.short_id), source)
    assert hand.node.statistics().watches == 1


def test_asking_moves_no_clock_and_does_not_count_as_speaking() -> None:
    """A node that was asked before it joins still takes the cluster's time for its epoch."""
    asked, left_alone = Hand(), Hand()
    asked.feed_bytes(ask_bytes(asked, Ask(1, What.MEMBERS, 0)), LOCAL)
    for hand in (asked, left_alone):
        assert hand.cluster_time == UNIX_MS
        hand.node.join([A.address], now=hand.now)
        hand.collect()
        join = hand.sent[-1].message
        hand.feed(A, JoinAck(join.seq, b"c", UNIX_MS - 5_000, 1000, 4, 5000))  # type: ignore[union-attr]
    assert asked.me.epoch == left_alone.me.epoch < EPOCH


def test_asking_is_not_hearing_somebody() -> None:
    hand = Hand(knows=peers(5))
    hand.answering = []
    hand.run(3.0)
    assert told(hand, What.MEMBERS)[0].teller.standing is Standing.DEAF
    hand.run(6.0)
    assert told(hand, What.MEMBERS)[0].teller.standing is Standing.ISOLATED
    assert hand.node.statistics().deaf


def test_a_superseded_node_answers_tools_and_says_so() -> None:
    hand = Hand(knows=[A])
    rival = Peer("me", Address("10.7.7.7", 7946), hand.me.epoch + (1 << 16))
    hand.feed(A, claims=[rival.claim()])
    assert hand.node.statistics().superseded
    assert told(hand, What.MEMBERS)[0].teller.standing is Standing.SUPERSEDED
    assert hand.feed(A, Ping(1, hand.short_id, UNIX_MS)) == []
    assert spoken(hand, b"x").number is None


def test_a_node_that_is_alone_and_finds_no_seed_says_so() -> None:
    hand = Hand()
    assert told(hand, What.MEMBERS)[0].teller.standing is Standing.FINE
    hand.node.join([A.address], now=hand.now)
    hand.run(10.0)
    teller = told(hand, What.MEMBERS)[0].teller
    assert teller.standing is Standing.UNANSWERED
    assert standing_words(teller) == "me is alone: none of its seeds has answered"
    company = Hand(knows=[B])
    company.answering = [B]
    company.node.join([A.address], now=company.now)
    company.run(10.0)
    assert told(company, What.MEMBERS)[0].teller.standing is Standing.FINE


def test_a_node_that_left_answers_tools_and_says_so() -> None:
    hand = Hand(knows=[A])
    hand.node.leave(now=hand.now)
    assert told(hand, What.MEMBERS)[0].teller.standing is Standing.LEFT
    assert not hand.happened(MemberLeft)


def test_an_answer_that_nobody_asked_for_is_dropped() -> None:
    hand = Hand(knows=[A])
    for source in (A, peer(9)):
        assert hand.feed(source, Tell(1, None, b"")) == []
    assert hand.dropped(DropReason.UNREQUESTED) == 2


def test_pings_are_acked_as_ever() -> None:
    hand = Hand(knows=[A])
    (ack,) = hand.feed(A, Ping(1, hand.short_id, UNIX_MS))
    assert isinstance(ack.message, Ack)


# ------------------------------------------------------------------ cost


def test_a_page_costs_its_rows_however_many_members_there_are() -> None:
    costs = []
    for members in (100, 2_000):
        hand = Hand(knows=peers(members), config=Config.lan(max_new_members_per_second=100_000))
        data = ask_bytes(hand, Ask(1, What.EVERYONE, 1 << 62))
        costs.append(calls(partial(hand.node.feed_datagram, data, LOCAL, now=hand.now)))
        (sent,) = hand.collect()
        page = decode_body(What.EVERYONE, tell(sent).body)
        assert isinstance(page, MembersPage)
        assert 10 < len(page.rows) < 40
    assert costs[1] < 1.2 * costs[0]
