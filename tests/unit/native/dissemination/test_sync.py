"""Section 5, rule by rule: when two members compare their views, and what they then exchange."""

from collections.abc import Iterable

import pytest

from support.hand import HASHES, Hand, Peer, Sent, peer, peers
from swim_core import Address, Config, DropReason, PathNarrow, State
from swim_core.native.table.view_digest import ViewDigest
from swim_core.native.wire.claim import Claim, precedence
from swim_core.native.wire.datagram import Flags
from swim_core.native.wire.messages import Ack, PageEntry, Ping, SyncPage, SyncPush, SyncReq

A, B, C = peers(3)
WHOLE = 2**64


def other_digest(hand: Hand) -> int:
    return hand.digest() ^ 1


def show(hand: Hand, digest: int, *, stable: bool = True, news: Claim | None = None) -> bool:
    """Answer the node's next ping to A with this digest, right after ``news``; returns whether it asks for a sync."""
    hand.answering = [B]
    hand.clear()
    hand.until(lambda: bool(hand.messages(Ping, A)), 60.0)
    ping = hand.messages(Ping, A)[-1]
    hand.clear()
    if news is not None:
        hand.feed(B, claims=[news])
    hand.feed(A, Ack(ping.seq, digest), flags=Flags.STABLE if stable else 0)
    return bool(hand.messages(SyncReq))


def answer(hand: Hand, entries: Iterable[PageEntry]) -> None:
    """Answer the requested sync with a last page."""
    request = hand.messages(SyncReq)[-1]
    hand.feed(A, SyncPage(request.id, None, b"\1", list(entries)))


def same(hand: Hand) -> list[PageEntry]:
    """The claims that the node holds."""
    known = [Peer(m.name, m.address, m.epoch, m.incarnation) for m in hand.node.members()]
    return [PageEntry(member.claim(), 0) for member in known]


def settled(config: Config | None = None) -> Hand:
    hand = Hand(knows=[A, B], config=config)
    hand.run(10.0)
    hand.clear()
    return hand


# ------------------------------------------------------------------ when


def test_equal_digests_cause_no_sync() -> None:
    hand = settled()
    for _ in range(5):
        assert not show(hand, hand.digest())
    assert hand.node.statistics().syncs == 0


def test_a_differing_ack_causes_a_sync_when_both_digests_are_stable() -> None:
    assert show(settled(), 12345)


def test_the_steady_state_costs_nothing() -> None:
    hand = settled()
    hand.run(300.0)
    assert not hand.messages(SyncReq)


def test_the_next_sync_between_stable_digests_waits_1_s_after_one_that_changed_something() -> None:
    hand = settled(Config.lan(probe_interval=0.2, stall_tolerance=5))
    assert show(hand, other_digest(hand))
    answer(hand, [PageEntry(A.claim(incarnation=1), 0)])
    started = hand.now
    while hand.now < started + 0.7:
        assert not show(hand, other_digest(hand))
    while not show(hand, other_digest(hand)):
        assert hand.now < started + 1.5
    assert 1.0 <= hand.now - started < 1.9


def test_an_unstable_digest_waits_3_s() -> None:
    hand = settled(Config.lan(probe_interval=0.2, stall_tolerance=5))
    assert show(hand, other_digest(hand))
    answer(hand, [PageEntry(A.claim(incarnation=1), 0)])
    started = hand.now
    while not show(hand, other_digest(hand), stable=False):
        assert hand.now < started + 4.0
    assert hand.now - started >= 3.0


def test_where_the_own_digest_is_not_stable_it_waits_3_s_too() -> None:
    hand = settled(Config.lan(probe_interval=0.2, stall_tolerance=5))
    assert show(hand, other_digest(hand))
    answer(hand, [PageEntry(A.claim(incarnation=1), 0)])
    started = hand.now
    incarnation = 1
    while True:
        incarnation += 1
        if show(hand, other_digest(hand), news=A.claim(incarnation=incarnation)):
            break
        assert hand.now < started + 4.0
    assert hand.now - started >= 3.0


def test_a_sync_that_changed_nothing_doubles_the_wait_to_60_s_until_the_own_digest_changes() -> None:
    hand = settled(Config.lan(probe_interval=0.5, stall_tolerance=5))
    waits = []
    assert show(hand, 999)
    for _ in range(7):
        answer(hand, same(hand))
        started = hand.now
        while not show(hand, 999):
            assert hand.now < started + 70.0
        waits.append(hand.now - started)
    expected = [6.0, 12.0, 24.0, 48.0, 60.0, 60.0, 60.0]
    assert all(want <= wait <= want + 2.5 for wait, want in zip(waits, expected, strict=True))
    answer(hand, same(hand))
    hand.feed(B, claims=[B.claim(incarnation=1)])
    started = hand.now
    while not show(hand, 999):
        assert hand.now < started + 70.0
    assert hand.now - started <= 5.0


def test_a_member_that_learns_it_was_declared_dead_syncs_with_one_live_member_at_once() -> None:
    hand = settled()
    hand.feed(A, claims=[hand.own_claim(State.DEAD)])
    assert len(hand.messages(SyncReq)) == 1


def test_a_suspicion_of_it_causes_no_sync() -> None:
    hand = settled()
    hand.feed(A, claims=[hand.own_claim(State.SUSPECT)])
    assert not hand.messages(SyncReq)


def test_strangers_cause_no_sync() -> None:
    hand = settled()
    stranger = peer(99)
    hand.feed(stranger, Ack(1, 5), flags=Flags.STABLE)
    hand.feed(A, Ack(1, 5), flags=Flags.STABLE)
    assert not hand.messages(SyncReq)


def through_a_sync(hand: Hand) -> None:
    """Have the node complete a sync: from then on it is no newcomer, and asks one member for all pages."""
    hand.clear()
    hand.feed(A, claims=[hand.own_claim(State.DEAD)])
    asked = next(sent for sent in hand.sent if isinstance(sent.message, SyncReq))
    members = [Peer(m.name, m.address, m.epoch) for m in hand.node.members()]
    source = next(member for member in members if member.address == asked.to)
    hand.feed(source, SyncPage(asked.message.id, None, b"", []))  # type: ignore[union-attr]
    hand.run(1.1)
    hand.clear()


# ------------------------------------------------------------------ asking


def bucket_of(name: str, count: int) -> int:
    return HASHES.phase(name) * count // WHOLE


@pytest.mark.parametrize(("others", "buckets"), [(1, 1), (63, 1), (64, 5), (100, 7), (500, 32), (2_500, 128)])
def test_the_asker_sends_one_bucket_up_to_64_members_then_one_per_16_at_most_128(others: int, buckets: int) -> None:
    members = peers(others)
    hand = Hand(knows=members, config=Config.lan(max_new_members_per_second=10_000))
    hand.feed(members[0], claims=[hand.own_claim(State.DEAD)])
    (request,) = hand.messages(SyncReq)
    assert len(request.buckets) == buckets
    digests = [0] * buckets
    for member in hand.live():
        digests[bucket_of(member.name, buckets)] ^= HASHES.view(member.name, member.epoch, member.incarnation)
    assert request.buckets == digests
    assert request.cursor == 0


def test_the_request_is_padded_to_the_size_of_a_page() -> None:
    hand = settled()
    assert show(hand, 999)
    (sent,) = [sent for sent in hand.sent if isinstance(sent.message, SyncReq)]
    assert 1180 <= sent.size <= 1200


def test_a_request_is_repeated_three_probe_timeouts_apart_smaller_from_the_third_try_on() -> None:
    hand = settled()
    assert show(hand, 999)
    hand.answering = [A, B]
    start = hand.now
    hand.run(10.0)
    first = hand.messages(SyncReq)[0].id
    asked = [sent for sent in hand.sent if isinstance(sent.message, SyncReq) and sent.message.id == first]
    assert [sent.at - start for sent in asked] == pytest.approx([0.0, 0.6, 1.2, 1.8, 2.4], abs=0.01)
    assert [sent.size for sent in asked] == pytest.approx([1190, 1190, 990, 790, 538], abs=10)
    assert max(sent.size for sent in asked[2:]) <= 1000


# ------------------------------------------------------------------ paths that swallow large datagrams


def swallowed(hand: Hand, times: int) -> SyncReq:
    """Leave this many requests of a sync unanswered; returns the next one."""
    first = hand.messages(SyncReq)[-1].id
    hand.until(lambda: sum(request.id == first for request in hand.messages(SyncReq)) > times, 5.0)
    return hand.messages(SyncReq)[-1]


def test_the_pages_that_follow_a_smaller_request_are_asked_for_in_its_size() -> None:
    hand = settled()
    hand.answering = [B]
    assert show(hand, 999)
    request = swallowed(hand, 2)
    newcomers = sorted(peers(6, first=50), key=lambda member: HASHES.phase(member.name))
    cursor = HASHES.phase(newcomers[3].name)
    hand.clear()
    hand.feed(A, SyncPage(request.id, cursor, b"\1", [PageEntry(member.claim(), 0) for member in newcomers[:3]]))
    (sent,) = [sent for sent in hand.sent if isinstance(sent.message, SyncReq)]
    assert 980 <= sent.size <= 1000
    assert hand.node.statistics().narrow_paths == 1


def test_a_path_is_said_to_be_narrow_when_three_syncs_in_a_row_got_smaller() -> None:
    hand = settled()
    hand.answering = [A, B]
    assert show(hand, 999)
    for _ in range(3):
        assert not hand.happened(PathNarrow)
        request = swallowed(hand, 2)
        hand.feed(A, SyncPage(request.id, None, b"", []))
        if not hand.happened(PathNarrow):
            hand.clear_sent()
            hand.until(lambda: bool(hand.messages(SyncReq)), 2.0)
    assert [(event.address, event.size) for event in hand.happened(PathNarrow)] == [(A.address, 1000)]


def test_a_member_is_answered_in_the_size_in_which_it_asks_and_told_in_no_larger_ones() -> None:
    hand = Hand(knows=peers(5))
    hand.clear()
    hand.feed(A, SyncReq(1, [5], 0, bytes(700)))
    (page,) = [sent for sent in hand.to(A) if isinstance(sent.message, SyncPage)]
    assert page.size <= 760
    hand.clear()
    for _ in range(20):
        hand.node.broadcast(bytes(100), now=hand.now)
    hand.run(0.5)
    assert hand.to(A)
    assert max(sent.size for sent in hand.to(A)) <= 760


def test_pages_are_asked_for_one_by_one_and_taken_from_whom_was_asked() -> None:
    hand = settled()
    assert show(hand, 999)
    request = hand.messages(SyncReq)[-1]
    newcomers = sorted(peers(6, first=50), key=lambda member: HASHES.phase(member.name))
    cursor = HASHES.phase(newcomers[3].name)
    hand.clear()
    hand.feed(A, SyncPage(request.id, cursor, b"\1", [PageEntry(member.claim(), 0) for member in newcomers[:3]]))
    (following,) = hand.messages(SyncReq)
    assert (following.cursor, following.buckets) == (cursor, request.buckets)
    asked = next(member for member in (A, B, *newcomers) if hand.messages(SyncReq, member))
    hand.clear()
    last = SyncPage(following.id, None, b"\1", [PageEntry(member.claim(), 0) for member in newcomers[3:]])
    hand.feed(peer(9), last)
    assert not any(hand.state(member) for member in newcomers[3:])
    hand.feed(asked, last)
    assert not hand.messages(SyncReq)
    assert all(hand.state(member) is State.ALIVE for member in newcomers)


def test_a_page_that_leads_nowhere_ends_the_sync() -> None:
    hand = settled()
    assert show(hand, 999)
    request = hand.messages(SyncReq)[-1]
    hand.clear()
    hand.feed(A, SyncPage(request.id, 0, b"\1", []))
    assert not hand.messages(SyncReq)


def test_the_asker_pushes_back_what_it_holds_higher() -> None:
    hand = Hand(knows=[A, B, C])
    hand.feed(A, claims=[B.claim(incarnation=3), C.claim(State.LEFT)])
    hand.run(10.0)
    assert show(hand, 999)
    entries = [PageEntry(A.claim(), 0), PageEntry(B.claim(incarnation=1), 0), PageEntry(C.claim(), 0)]
    hand.clear()
    answer_last(hand, entries)
    pushed = {entry.claim.name: entry.claim for push in hand.messages(SyncPush, A) for entry in push.entries}
    assert set(pushed) == {"me", "p2", "p3"}
    assert (pushed["p2"].incarnation, pushed["p3"].state) == (3, State.LEFT)


def test_a_few_that_the_other_side_does_not_know_are_pinged_unless_they_were_heard_lately() -> None:
    """One that came and went at once may be live here alone, and nobody else will look for it."""
    others = [peer(number) for number in range(10, 16)]
    hand = Hand(knows=[A, B, C, *others])
    hand.run(10.0)
    hand.answering = [A, B, C]
    assert show(hand, 999)
    for known in (B, C):
        hand.feed(known, Ping(1, hand.short_id, hand.cluster_time))
    hand.clear()
    answer_last(hand, [PageEntry(A.claim(), 0), PageEntry(C.claim(), 0)])
    pushed = {entry.claim.name for push in hand.messages(SyncPush, A) for entry in push.entries}
    assert pushed == {"me", "p2", *(other.name for other in others)}
    assert not hand.messages(Ping, A, B, C)
    assert len([other for other in others if hand.messages(Ping, other)]) == 4


def answer_last(hand: Hand, entries: list[PageEntry]) -> None:
    """The last page for whatever sync is under way: the request is repeated where it was cleared."""
    hand.until(lambda: bool(hand.messages(SyncReq)), 3.0)
    answer(hand, entries)


def test_the_end_of_members_that_the_other_does_not_show_is_not_pushed() -> None:
    """The other side would drop it, since it is the end of an unknown name."""
    hand = Hand(knows=[A, B, C])
    hand.feed(A, claims=[C.claim(State.LEFT)])
    hand.run(10.0)
    assert show(hand, 999)
    hand.clear()
    answer_last(hand, [PageEntry(A.claim(), 0)])
    pushed = {entry.claim.name for push in hand.messages(SyncPush, A) for entry in push.entries}
    assert pushed == {"me", "p2"}


def test_a_pushed_claim_is_merged_and_flooded() -> None:
    hand = settled()
    hand.feed(A, SyncPush([PageEntry(C.claim(), 0)]))
    assert hand.state(C) is State.ALIVE
    hand.run(0.1)
    assert hand.told("p3", B)


# ------------------------------------------------------------------ answering


def answers(hand: Hand, *, buckets: list[int], source: Peer, limit: int = 1200) -> list[Claim]:
    """All claims that a member gets from the node in a sync, page by page."""
    cursor, found = 0, []
    for _ in range(5_000):
        request = SyncReq(7, buckets, cursor, b"")
        size = len(source.datagram(request))
        request = SyncReq(7, buckets, cursor, bytes(max(0, limit - size - 3)))
        hand.clear()
        hand.feed(source, request)
        (sent,) = [sent for sent in hand.sent if isinstance(sent.message, SyncPage)]
        page = sent.message
        assert isinstance(page, SyncPage)
        assert sent.size <= 1200
        assert page.id == 7
        found += [entry.claim for entry in page.entries]
        if page.cursor is None:
            return found
        assert page.cursor > cursor
        cursor = page.cursor
    raise AssertionError("the pages never end")


def clustered(others: int) -> tuple[Hand, list[Peer]]:
    members = peers(others)
    hand = Hand(knows=members, config=Config.lan(max_new_members_per_second=10_000))
    return hand, members


@pytest.mark.parametrize("others", [3, 60, 300])
def test_paging_brings_every_claim_of_differing_buckets_once(others: int) -> None:
    hand, members = clustered(others)
    hand.feed(members[0], claims=[members[1].claim(State.LEFT)])
    found = answers(hand, buckets=[0], source=members[0])
    held = {member.name for member in hand.node.members(gone=True)}
    assert sorted(claim.name for claim in found) == sorted(held)
    assert {claim.name for claim in found if claim.state is State.LEFT} == {members[1].name}


def test_buckets_that_agree_are_left_out() -> None:
    hand, members = clustered(200)
    count = 13
    digests = [0] * count
    for member in hand.live():
        digests[bucket_of(member.name, count)] ^= HASHES.view(member.name, member.epoch, member.incarnation)
    assert answers(hand, buckets=digests, source=members[0]) == []
    digests[4] ^= 1
    digests[11] ^= 1
    names = {claim.name for claim in answers(hand, buckets=digests, source=members[0])}
    assert names == {member.name for member in hand.live() if bucket_of(member.name, count) in (4, 11)}


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 100, 127, 128])
def test_a_bucket_is_a_range_of_the_phase_order_whatever_their_number(count: int) -> None:
    hand, members = clustered(100)
    for index in range(0, count, max(1, count // 5)):
        digests = [0] * count
        for member in hand.live():
            digests[bucket_of(member.name, count)] ^= HASHES.view(member.name, member.epoch, member.incarnation)
        digests[index] ^= 1
        names = {claim.name for claim in answers(hand, buckets=digests, source=members[0])}
        assert names == {member.name for member in hand.live() if bucket_of(member.name, count) == index}


def test_a_stranger_gets_pages_no_longer_than_its_requests() -> None:
    hand, _ = clustered(40)
    stranger = peer(999)
    found = answers(hand, buckets=[0], source=stranger, limit=400)
    assert len({claim.name for claim in found}) == 41
    assert all(sent.size <= 400 for sent in hand.sent)


def test_claims_of_any_size_can_be_paged() -> None:
    hand = Hand(knows=[A])
    large = [
        peer(number, "n" * 61 + f"{number:03}", metadata=b"\x81\xa1k\xda\x01\xf9" + b"v" * 505) for number in range(5)
    ]
    for member in large:
        hand.push(A, [member])
    found = {claim.name for claim in answers(hand, buckets=[0], source=A)}
    assert found == {member.name for member in large} | {"me", "p1"}


def test_a_node_with_a_smaller_datagram_limit_can_page_claims_of_any_size() -> None:
    hand = Hand(knows=[A], config=Config.lan(max_datagram=800, max_metadata=200))
    large = [peer(number, metadata=b"\x81\xa1k\xda\x01\xf9" + b"v" * 505) for number in range(10, 15)]
    for member in large:
        hand.push(A, [member])
    found = {claim.name for claim in answers(hand, buckets=[0], source=A)}
    assert found >= {member.name for member in large}


# ------------------------------------------------------------------ two nodes


def exchange(left: Hand, right: Hand, *, seconds: float) -> None:
    """Two nodes that can reach each other and nobody else."""
    hands = {left.me.address: left, right.me.address: right}
    end = left.now + seconds
    while left.now < end:
        for hand in hands.values():
            deadline = hand.node.poll_deadline()
            hand.now = max(hand.now, left.now)
            if deadline is not None and deadline <= hand.now:
                hand.node.feed_tick(now=hand.now)
                hand.collect()
        pending = [(hand, sent) for hand in hands.values() for sent in hand.sent]
        for hand in hands.values():
            hand.clear()
        for hand, sent in pending:
            _deliver(hands, hand, sent)
        left.now += 0.01


def _deliver(hands: dict[Address, Hand], source: Hand, sent: Sent) -> None:
    receiver = hands.get(sent.to)
    if receiver is not None:
        receiver.feed_bytes(sent.payload, source.me.address)


@pytest.mark.parametrize("context", [5, 150])
def test_two_nodes_with_different_views_agree_after_one_sync(context: int) -> None:
    config = Config.lan(max_new_members_per_second=10_000)
    members = peers(context)
    left = Hand("left", knows=members, config=config)
    right = Hand("right", knows=members, config=config, address=("10.200.0.1", 1), seed=9)
    only_left, only_right = peers(40, first=5_000), peers(40, first=6_000)
    for hand, others in ((left, only_left), (right, only_right)):
        hand.answering = []
        hand.exist(*(other.claim() for other in (*only_left, *only_right)))
        hand.feed(members[0], claims=[members[3].claim(incarnation=len(others[0].name))])
        for start in range(0, 40, 10):
            hand.feed(members[0], claims=[other.claim() for other in others[start : start + 10]])
    left.feed(members[0], claims=[members[2].claim(State.LEFT), members[1].claim(incarnation=4)])
    right.feed(members[0], claims=[members[1].claim(incarnation=7)])
    right.clear()
    through_a_sync(left)
    left.node.join([right.me.address], now=left.now)
    left.collect()
    exchange(left, right, seconds=5.0)
    table = [
        {m.name: (m.epoch, m.incarnation, m.state.live) for m in hand.node.members(gone=True)} for hand in (left, right)
    ]
    assert table[0] == table[1]
    assert len(table[0]) == context + 82
    assert left.digest() == right.digest()


def test_precedence_decides_what_is_pushed_back_page_by_page() -> None:
    """The same over many pages: whatever was shown lower or not at all is pushed, and nothing that was shown higher."""
    hand, members = clustered(120)
    through_a_sync(hand)
    hand.feed(members[0], claims=[hand.own_claim(State.DEAD)])
    source = next(member for member in members if hand.messages(SyncReq, member))
    shown = {member.name: member.claim(incarnation=index % 3) for index, member in enumerate(members) if index % 4}
    for index, member in enumerate(members):
        hand.feed(source, claims=[member.claim(incarnation=index % 2)])
    order = sorted(shown.values(), key=lambda claim: HASHES.phase(claim.name))
    held = {member.name: member.claim(incarnation=index % 2) for index, member in enumerate(members)}
    request = hand.messages(SyncReq)[-1]
    bitmap = (2 ** len(request.buckets) - 1).to_bytes((len(request.buckets) + 7) // 8, "little")
    hand.clear()
    for start in range(0, len(order), 10):
        following = order[start + 10 : start + 11]
        cursor = HASHES.phase(following[0].name) if following else None
        page = SyncPage(request.id, cursor, bitmap, [PageEntry(claim, 0) for claim in order[start : start + 10]])
        hand.feed(source, page)
        hand.run(0.01)
    pushed = {entry.claim.name for push in hand.messages(SyncPush) for entry in push.entries} - {"me"}
    lower = {name for name, claim in held.items() if name not in shown or precedence(claim) > precedence(shown[name])}
    assert pushed == lower


# ---------------------------------------------------------------------- what strangers can make it cost


def looked_at(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The buckets that are compared from now on."""
    buckets: list[int] = []
    digest = ViewDigest.bucket

    def bucket(self: ViewDigest, index: int, count: int) -> int:
        buckets.append(index)
        return digest(self, index, count)

    monkeypatch.setattr(ViewDigest, "bucket", bucket)
    return buckets


def test_a_request_whose_answer_would_hold_nothing_is_not_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request of 165 bytes with 128 digests cost as much as 70 pings, and got no answer."""
    hand = Hand(knows=peers(128))
    buckets = looked_at(hand, monkeypatch)
    sent = hand.feed(peer(500), SyncReq(1, [1] * 4, 0))
    assert not buckets
    assert not [each for each in sent if isinstance(each.message, SyncPage)]


def test_buckets_are_compared_as_far_as_the_page_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    hand = Hand(knows=peers(128))
    buckets = looked_at(hand, monkeypatch)
    hand.feed(A, SyncReq(1, [1] * 128, 0, bytes(900)))
    (page,) = hand.messages(SyncPage, A)
    assert page.cursor is not None
    assert 0 < len(buckets) < 64
    compared = len(buckets)
    hand.feed(A, SyncReq(1, [1] * 128, page.cursor, bytes(900)))
    assert buckets[compared] == buckets[compared - 1]


def test_strangers_are_answered_twenty_times_a_second() -> None:
    hand = Hand(knows=peers(3))
    for number in range(100):
        hand.feed(peer(500 + number), SyncReq(number, [1], 0, bytes(900)))
    assert len(hand.messages(SyncPage)) == 20
    assert hand.dropped(DropReason.RATE_LIMITED) >= 80
    hand.feed(A, SyncReq(7, [1], 0, bytes(900)))
    assert hand.messages(SyncPage, A)


def test_one_that_says_in_its_request_that_it_has_left_is_answered_as_a_stranger() -> None:
    hand = Hand(knows=peers(30))
    data = A.datagram(SyncReq(1, [1], 0, bytes(300)), claims=[A.claim(State.LEFT)])
    assert sum(sent.size for sent in hand.feed_bytes(data, A.address) if sent.to == A.address) <= len(data)
