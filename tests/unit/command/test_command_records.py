"""The agent's lines: each event of the core as JSON and in words."""

import json
import time
from typing import get_args

import pytest

from swim_anyio.command import records
from swim_anyio.command.text import pieces, plain, printable, rule_words
from swim_core import (
    Address,
    BroadcastReceived,
    BroadcastsLost,
    ClocksDiffer,
    ClustersMet,
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
    Observation,
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

T = 1_700_000_000.25
WHO = {"member": "n2", "address": "10.0.0.2:7946"}
MEMBER = Member("n2", Address("10.0.0.2", 7946), epoch=5)
LABELLED = Member("n2", Address("10.0.0.2", 7946), metadata={"role": "cache"})
ORIGIN = Origin("n2", 5, Address("10.0.0.2", 7946))
GONE = Evidence(Rule.GONE, "n3", 12)

CASES: list[tuple[Event, dict[str, object] | None, str]] = [
    (MemberJoined(MEMBER), {"event": "alive", **WHO}, "n2 at 10.0.0.2:7946"),
    (
        MemberJoined(LABELLED),
        {"event": "alive", **WHO, "metadata": {"role": "cache"}},
        "n2 at 10.0.0.2:7946, role=cache",
    ),
    (MemberRecovered(MEMBER), {"event": "alive", **WHO}, "n2 at 10.0.0.2:7946"),
    (MemberSuspected(MEMBER), {"event": "suspect", **WHO}, "n2"),
    (
        MemberSuspected(MEMBER, Evidence(Rule.SUSPICION, "n3", 12)),
        {"event": "suspect", **WHO, "rule": "suspicion", "accuser": "n3"},
        "n2: no answer for half the stall tolerance (another member confirms it), says n3",
    ),
    (
        MemberDied(MEMBER, GONE),
        {"event": "dead", **WHO, "rule": "gone", "accuser": "n3"},
        "n2: process ended without a goodbye (nobody listens on its port), says n3",
    ),
    (MemberDied(MEMBER), {"event": "dead", **WHO}, "n2"),
    (MemberDied(MEMBER, Evidence(None, "n3", 12)), {"event": "dead", **WHO}, "n2"),
    (
        MemberLeft(MEMBER, Evidence(Rule.LEFT, "n2", 12)),
        {"event": "left", **WHO, "rule": "left", "accuser": "n2"},
        "n2",
    ),
    (
        MemberUpdated(LABELLED),
        {"event": "updated", **WHO, "metadata": {"role": "cache"}},
        "n2 at 10.0.0.2:7946, role=cache",
    ),
    (MemberUpdated(MEMBER), {"event": "updated", **WHO, "metadata": {}}, "n2 at 10.0.0.2:7946"),
    (MemberForgotten(MEMBER), {"event": "forgotten", **WHO}, "n2 at 10.0.0.2:7946"),
    (
        BroadcastReceived(ORIGIN, 3, "grüße".encode()),
        {"event": "broadcast", "member": "n2", "number": 3, "data": "grüße"},
        "n2: grüße",
    ),
    (
        BroadcastReceived(ORIGIN, 3, b"\xff\x00"),
        {"event": "broadcast", "member": "n2", "number": 3, "data_base64": "/wA="},
        "n2: /wA= (base64)",
    ),
    (MessageReceived(ORIGIN, b"hello"), {"event": "message", "member": "n2", "data": "hello"}, "n2: hello"),
    (
        BroadcastsLost(ORIGIN, 4),
        {"event": "lost", "member": "n2", "count": 4},
        "4 broadcasts from n2, which no member has any longer",
    ),
    (EventsLost(9), {"event": "lost", "count": 9}, "9 events that came faster than they were read"),
    (
        NameConflict(MEMBER),
        {"event": "conflict", **WHO},
        "another process at 10.0.0.2:7946 is named n2 too: this one stays silent until that one is gone",
    ),
    (
        NameRegained(MEMBER),
        {"event": "regained", **WHO},
        "the other process named n2 is gone: this one is a member again",
    ),
    (
        Isolated(),
        {"event": "isolated"},
        "nobody was heard for the stall tolerance: this member is probably cut off",
    ),
    (Reconnected(), {"event": "reconnected"}, "other members are heard again"),
    (
        ClocksDiffer(Address("10.0.0.2", 2), -259_200.0),
        {"event": "clocks", "address": "10.0.0.2:2", "seconds": -259_200.0},
        "the cluster at 10.0.0.2:2 is 3.0 days behind: set the clocks and restart its members",
    ),
    (
        ClustersMet(Address("10.0.0.1", 1), 3, Address("10.0.0.2", 2), 4),
        {"event": "met", "address": "10.0.0.1:1", "members": 3, "their_address": "10.0.0.2:2", "their_members": 4},
        "two separate clusters have met and become one: 3 members here, 4 with 10.0.0.2:2; to keep them apart, give"
        " each a label (--cluster)",
    ),
    (
        PathNarrow(Address("10.0.0.3", 3), 800),
        {"event": "narrow", "address": "10.0.0.3:3", "size": 800},
        "datagrams of more than 800 bytes don't get through to 10.0.0.3:3 (max_datagram)",
    ),
    (
        SeenElsewhere(Address("10.0.0.1", 1), Address("10.0.0.2", 2), Address("10.0.0.3", 3)),
        {"event": "elsewhere", "seen": "10.0.0.1:1", "claimed": "10.0.0.2:2", "by": "10.0.0.3:3"},
        "10.0.0.3:3 sees this member at 10.0.0.1:1, not at 10.0.0.2:2 as it tells others (--advertise)",
    ),
    (
        Paused(13.4214),
        {"event": "paused", "seconds": 13.4214},
        "this process did not run for 13.4 s: others may have declared it dead",
    ),
    (MemberPinged(MEMBER, 0.001), None, ""),
    (JoinAttempt((Address("10.0.0.1", 7946),)), None, ""),
    (SettingsDiffer(Address("10.0.0.1", 7946), {"rings": 3}, {"rings": 4}), None, ""),
    (Unsealed(Address("10.0.0.1", 7946), DropReason.NOT_SEALED, "", 1), None, ""),
    (KeysChanged("a6215e9a", ("a6215e9a",)), None, ""),
    (KeysRejected("no key in it"), None, ""),
    (PlainAccepted(2), None, ""),
    (LeaveOrdered(Address("10.0.0.1", 7946)), None, ""),
]


def test_json_has_no_character_that_a_terminal_obeys() -> None:
    """JSON itself allows DEL and the C1 controls raw, and U+009B begins an escape sequence."""
    controls = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
    record: records.Record = {"data": f"{controls} \xa0\xdb\u20ac \\u009b", controls: "as a key"}
    line = records.to_json(record)
    assert not {character for character in line.decode().removesuffix("\n") if character in controls}
    assert json.loads(line) == record
    assert "\xdb\u20ac" in line.decode()


def test_what_turns_writing_around_or_cannot_be_seen_is_escaped_and_reads_back() -> None:
    record: records.Record = {"data": "a\u202eb\u2066c\ufeffd\u200be \U000e0001 é日🙂", "\u202e": 1}
    line = records.to_json(record).decode()
    assert all(character.isprintable() for character in line.removesuffix("\n"))
    assert "é日🙂" in line
    assert json.loads(line) == record


@pytest.mark.parametrize(("event", "expected", "words"), CASES, ids=lambda value: type(value).__name__)
def test_each_event_as_json_and_in_words(event: Event, expected: dict[str, object] | None, words: str) -> None:
    record = records.from_event(event, t=T)
    if expected is None:
        assert record is None
        return
    assert record is not None
    line = records.to_json(record)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {"t": T, **expected}
    assert pieces(record)[2][0] == words
    assert f" {words}" in plain(record).decode()


def test_no_event_of_the_core_is_forgotten() -> None:
    assert {type(event) for event, _, _ in CASES} == set(get_args(Event))


def words(record: records.Record) -> list[str]:
    return [line.strip() for line in plain(record).decode()[21:].splitlines()]


def test_answers_to_what_is_typed_in_words() -> None:
    assert words(records.sent(7, 3, t=T)) == ["broadcast 7 goes to 3 other members"]
    assert words(records.pinged("n2", 0.001, t=T)) == ["n2 answered in 1.00 ms"]
    assert words(records.pinged("n2", None, t=T)) == ["n2 did not answer in time"]
    assert words(records.metadata(LABELLED, t=T)) == ["n2, role=cache"]
    assert words(records.metadata(MEMBER, t=T)) == ["n2 has none"]
    assert any(line.startswith("why NAME  ") for line in words(records.help_(t=T)))
    assert max(map(len, plain(records.help_(t=T)).decode().splitlines())) <= 80
    seen = (Observation(3.0, "n1", "refused udp", "nobody listens", 2, 4.0),)
    told = records.why(MEMBER, Evidence(Rule.GONE, "n3", 12, seen), t=T, now=13.0)
    first, second = words(told)
    assert first.startswith("n2 at 10.0.0.2:7946 is alive: process ended without a goodbye")
    assert second.endswith("n1  refused udp  nobody listens (2 times)")
    assert told["observations"][0]["t"] == T - 10.0  # type: ignore[index]


@pytest.mark.parametrize("rule", Rule)
def test_each_rule_has_words(rule: Rule) -> None:
    record = records.from_event(MemberDied(MEMBER, Evidence(rule, "n3", 12)), t=T)
    assert record is not None
    assert f": {rule_words(rule.name.lower())}, says n3" in plain(record).decode()
    assert "doesn't know" not in rule_words(rule.name.lower())


def test_the_first_and_the_last_line() -> None:
    assert records.started(MEMBER, t=T) == {"t": T, "event": "started", **WHO}
    assert records.started(MEMBER, t=T, sealed=True)["sealed"] is True
    here, there = (Member("n2", Address(host, 1)) for host in ("127.0.0.1", "10.0.0.1"))
    assert "sealed" not in records.started(here, t=T, sealed=False)
    for sealed, words in ((False, "n2 at 10.0.0.1:1, NOT SEALED"), (True, "n2 at 10.0.0.1:1, sealed")):
        assert pieces(records.started(there, t=T, sealed=sealed))[2][0] == words
    stopped = records.stopped("n2", "SIGTERM", t=T)
    assert stopped == {"t": T, "event": "stopped", "member": "n2", "reason": "SIGTERM"}
    assert pieces(stopped)[2][0] == "n2 (SIGTERM)"


def test_the_list_of_members() -> None:
    suspect = Member("n3", Address("::1", 7946), state=State.SUSPECT, metadata={"role": "db"})
    record = records.members([MEMBER, suspect], t=T)
    assert record["members"] == [
        {"name": "n2", "address": "10.0.0.2:7946", "state": "alive"},
        {"name": "n3", "address": "[::1]:7946", "state": "suspect", "metadata": {"role": "db"}},
    ]
    first, second, third = pieces(record)[2][0].split("\n")
    assert (first, second.strip(), third.strip()) == (
        "2 live",
        "n2 at 10.0.0.2:7946, alive",
        "n3 at [::1]:7946, suspect, role=db",
    )


def test_a_bad_line_is_quoted_with_its_reason() -> None:
    record = records.error(b"br\xffadcast", "no such command", t=T)
    assert json.loads(records.to_json(record)) == {
        "t": T,
        "event": "error",
        "reason": "no such command",
        "line": "br\ufffdadcast",
    }
    assert pieces(record)[2][0] == "no such command"


def test_lines_that_could_not_be_written() -> None:
    record = records.lines_lost(3, "No space left on device", t=T)
    assert record == {"t": T, "event": "lost", "count": 3, "reason": "No space left on device"}
    assert pieces(record)[2][0] == "3 lines that could not be written to standard output (No space left on device)"


def test_a_line_begins_with_the_local_time_and_the_event() -> None:
    record = records.from_event(MemberJoined(MEMBER), t=T)
    assert record is not None
    clock = time.strftime("%H:%M:%S", time.localtime(T))
    assert plain(record) == f"{clock}  alive      n2 at 10.0.0.2:7946\n".encode()


def test_nothing_from_the_network_acts_on_a_terminal() -> None:
    assert printable("a\x1b[2Jb\r\n\x07\u202eç") == r"a\x1b[2Jb\r\n\x07\u202eç"
    hostile = BroadcastReceived(Origin("[red]n2[/red]", 5, None), 1, b"\x1b]0;owned\x07\nforged line")
    record = records.from_event(hostile, t=T)
    assert record is not None
    line = plain(record)
    assert line.count(b"\n") == 1
    assert b"\x1b" not in line
    assert b"[red]n2[/red]: " in line
