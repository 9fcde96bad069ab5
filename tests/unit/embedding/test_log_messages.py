"""What operators read about events in logs, and at which level."""

import logging
from itertools import pairwise
from typing import get_args

import pytest

from support.hand import Hand, peers
from support.smudge_hand import Hand as SmudgeHand
from swim_core import (
    Address,
    BroadcastReceived,
    BroadcastsLost,
    ClocksDiffer,
    ClustersMet,
    Config,
    DropReason,
    Event,
    EventsLost,
    Evidence,
    Isolated,
    JoinAttempt,
    KeysChanged,
    KeysRejected,
    LeaveOrdered,
    Member,
    MemberDied,
    MemberForgotten,
    MemberJoined,
    MemberLeft,
    MemberPinged,
    MemberRecovered,
    MemberSuspected,
    MemberUpdated,
    MessageReceived,
    NameConflict,
    NameRegained,
    Origin,
    PathNarrow,
    Paused,
    PlainAccepted,
    Reconnected,
    Rule,
    SeenElsewhere,
    SettingsDiffer,
    State,
    Unsealed,
)
from swim_core.embedding.log_messages import DEBUG, ERROR, INFO, WARNING, Notice, Notices

SEED, OTHER = Address("10.0.0.9", 7946), Address("10.0.0.10", 7946)
BOB = Member("bob", Address("10.0.0.2", 7946), 1, 0, State.ALIVE, {})
ORIGIN = Origin("bob", 1, BOB.address)
WHY = Evidence(Rule.GONE, "eve", 0)

EXPECTED: list[tuple[Event, int, str]] = [
    (MemberJoined(BOB), INFO, "bob at 10.0.0.2:7946 joined"),
    (MemberSuspected(BOB), INFO, "bob at 10.0.0.2:7946 is suspected"),
    (MemberRecovered(BOB), INFO, "bob at 10.0.0.2:7946 is alive after all"),
    (MemberDied(BOB, WHY), INFO, "bob at 10.0.0.2:7946 is dead (gone, says eve)"),
    (MemberDied(BOB, Evidence(None, "", 0)), INFO, "bob at 10.0.0.2:7946 is dead"),
    (MemberLeft(BOB), INFO, "bob at 10.0.0.2:7946 left"),
    (MemberUpdated(BOB), DEBUG, "bob at 10.0.0.2:7946 changed its metadata"),
    (MemberForgotten(BOB), DEBUG, "bob at 10.0.0.2:7946 is forgotten"),
    (BroadcastsLost(ORIGIN, 3), WARNING, "3 broadcasts from bob are lost: no member has them any longer"),
    (
        NameConflict(BOB),
        WARNING,
        "another process at 10.0.0.2:7946 has the same name: this node stays silent until that one is gone (each"
        " process needs a name of its own)",
    ),
    (NameRegained(BOB), WARNING, "the other process with the same name is gone: this node is a member again"),
    (Isolated(), WARNING, "nobody was heard for the stall tolerance: this node is probably cut off"),
    (Reconnected(), WARNING, "other members are heard again"),
    (
        ClocksDiffer(SEED, 259_200.0),
        WARNING,
        "the cluster at 10.0.0.9:7946 is 3.0 days ahead of this one, so the two stay apart: set the clocks of the one"
        " that is wrong, then restart its members, all at once",
    ),
    (
        ClustersMet(Address("10.0.0.1", 1), 3, SEED, 4),
        WARNING,
        "two separate clusters have met and become one: 3 members with 10.0.0.1:1, and 4 with 10.0.0.9:7946; to keep"
        " them apart, give each a label (cluster=, --cluster)",
    ),
    (
        PathNarrow(SEED, 1000),
        WARNING,
        "datagrams of more than 1000 bytes don't get through to 10.0.0.9:7946, or its answers don't come back: smaller"
        " ones are sent from now on; something on the way drops them (max_datagram)",
    ),
    (
        SeenElsewhere(Address("10.0.0.1", 1), Address("10.0.0.2", 2), SEED),
        WARNING,
        "10.0.0.9:7946 sees this node at 10.0.0.1:1, and not at 10.0.0.2:2, which it advertises: others may not reach"
        " it; advertise an address that leads here (advertise=, --advertise)",
    ),
    (Paused(13.42), WARNING, "did not run for 13.4 s: others may have declared it dead"),
    (JoinAttempt((SEED,)), DEBUG, "asking 10.0.0.9:7946"),
    (
        SettingsDiffer(SEED, {"rings": 3}, {"rings": 4}),
        WARNING,
        "the node at 10.0.0.9:7946 has other settings, which should agree in a cluster: {'rings': 3};"
        " here: {'rings': 4}",
    ),
    (
        KeysRejected("line 2 of swim.key: was it cut?"),
        ERROR,
        "the keys stay as they are: line 2 of swim.key: was it cut?",
    ),
    (LeaveOrdered(SEED), INFO, "a tool at 10.0.0.9:7946 asks this member to leave"),
    (KeysChanged("a6215e9a", ("a6215e9a",)), INFO, "seals with key a6215e9a from now on"),
    (
        KeysChanged("a6215e9a", ("a6215e9a", "01020304")),
        INFO,
        "seals with key a6215e9a from now on, and opens 01020304 too",
    ),
    (
        PlainAccepted(2),
        WARNING,
        'datagrams that are not sealed are taken too (plain="accept", --accept-plain), so that keys protect nothing;'
        " 2 members still send some",
    ),
    (
        PlainAccepted(0),
        WARNING,
        'datagrams that are not sealed are taken too (plain="accept", --accept-plain), so that keys protect nothing;'
        " no member sends any: start each without it",
    ),
    (
        Unsealed(SEED, DropReason.NOT_SEALED, "", 1),
        WARNING,
        "a datagram from 10.0.0.9:7946 dropped: not sealed, and this node has keys: give a member there the same key"
        " file",
    ),
    (
        Unsealed(SEED, DropReason.UNKNOWN_KEY, "a6215e9a", 7),
        WARNING,
        "7 datagrams from 10.0.0.9:7946 dropped: sealed with key a6215e9a, which this node does not hold: another key,"
        " or another cluster label",
    ),
    (
        Unsealed(SEED, DropReason.UNOPENED, "a6215e9a", 1),
        WARNING,
        "a datagram from 10.0.0.9:7946 dropped: forged or damaged, or meant for an earlier run here, under key"
        " a6215e9a",
    ),
]
SILENT: list[Event] = [BroadcastReceived(ORIGIN, 1, b"x"), MessageReceived(ORIGIN, b"x"), EventsLost(1)]


def of(event: Event) -> Notice:
    notice = Notices().of(event)
    assert notice is not None
    return notice


@pytest.mark.parametrize(("event", "level", "text"), EXPECTED, ids=lambda value: type(value).__name__)
def test_what_is_said(event: Event, level: int, text: str) -> None:
    notice = of(event)
    assert (notice.level, notice.text) == (level, text)
    assert notice.fields["event"]


@pytest.mark.parametrize("event", SILENT, ids=lambda event: type(event).__name__)
def test_what_is_the_applications_is_not_told(event: Event) -> None:
    assert Notices().of(event) is None


def test_every_event_is_decided_on() -> None:
    decided = {type(event) for event, _, _ in EXPECTED} | {type(event) for event in SILENT} | {MemberPinged}
    assert decided == set(get_args(Event))


def test_levels_are_those_of_logging() -> None:
    assert (DEBUG, INFO, WARNING) == (logging.DEBUG, logging.INFO, logging.WARNING)


def test_fields_are_for_programs() -> None:
    assert of(MemberDied(BOB, WHY)).fields == {
        "event": "died",
        "member": "bob",
        "address": "10.0.0.2:7946",
        "rule": "gone",
        "accuser": "eve",
    }
    taken = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
    for event, _, _ in EXPECTED:
        assert not taken & of(event).fields.keys(), "logging refuses such fields"


def test_each_spell_of_silence_of_a_seed_is_warned_of_once() -> None:
    notices = Notices()

    def said(*unanswered: Address) -> tuple[int, str]:
        notice = notices.of(JoinAttempt((SEED, OTHER), unanswered))
        assert notice is not None
        return notice.level, notice.text.partition(":7946")[0]

    asking, warned = (DEBUG, "asking 10.0.0.9"), (WARNING, "no answer from 10.0.0.9")
    assert [said(), said(SEED), said(SEED), said(SEED, OTHER)] == [
        asking,
        warned,
        asking,
        (WARNING, "no answer from 10.0.0.10"),
    ]
    assert [said(), said(SEED)] == [asking, warned]


def test_seeds_that_go_on_not_to_answer_are_warned_of_every_ten_minutes() -> None:
    notices = Notices()
    warned: list[float] = []
    for waited in (*range(0, 2_000, 50), *range(0, 1_300, 50)):  # the seed that was silent first answers, another not
        notice = notices.of(JoinAttempt((SEED,), (SEED,), float(waited)))
        assert notice is not None
        if notice.level == WARNING:
            warned.append(waited)
    assert warned == [0, 600, 1200, 1800, 600, 1200]


@pytest.mark.parametrize("hand", [Hand, SmudgeHand])
def test_an_attempt_says_for_how_long_seeds_have_been_silent(hand: type[Hand] | type[SmudgeHand]) -> None:
    driven = hand()
    began = driven.now
    driven.node.join([SEED], now=began)
    driven.run(2_000.0)
    attempts = [event for event in driven.events if isinstance(event, JoinAttempt)]
    assert attempts[0].waited == attempts[1].waited == 0.0
    assert 2.0 < attempts[2].waited < 4.0
    assert all(0.0 < later.waited - earlier.waited < 90.0 for earlier, later in pairwise(attempts[2:]))
    assert 1_900 < attempts[-1].waited < driven.now - began
    notices = Notices()
    levels = [notice.level for event in attempts if (notice := notices.of(event))]
    assert levels.count(WARNING) == 4


def test_a_seed_that_does_not_answer_is_named_at_the_third_attempt_and_one_that_does_never() -> None:
    (answering,) = peers(1)
    hand = Hand(knows=[answering], config=Config.lan())
    hand.node.join([SEED, answering.address], now=hand.now)
    hand.run(30.0)
    attempts = [event.unanswered for event in hand.events if isinstance(event, JoinAttempt)]
    assert attempts[:3] == [(), (), (SEED,)]
    assert set(attempts[2:]) == {(SEED,)}


def test_a_seed_that_was_there_for_a_while_has_answered() -> None:
    first, second, seed = peers(3)
    hand = Hand(knows=[first, second], config=Config.lan(join_backoff_max=4.0))
    hand.node.join([seed.address], now=hand.now)
    hand.run(10.0)
    assert hand.happened(JoinAttempt)[-1].unanswered == (seed.address,)
    hand.feed(first, claims=[seed.claim()])
    hand.answering = [first, second, seed]
    hand.run(10.0)
    count = len(hand.happened(JoinAttempt))
    hand.feed(first, claims=[seed.claim(State.DEAD, time=hand.cluster_time)])
    hand.answering = [first, second]
    hand.run(10.0)
    assert [event.unanswered for event in hand.happened(JoinAttempt)[count:]][:3] == [(), (), (seed.address,)]
