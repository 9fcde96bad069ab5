"""What the tools print: tables, durations, timelines, and what happened between two views."""

import os
from typing import Any, cast

import pytest
from msgspec.structs import replace

from support.accuser import Accuser
from support.hand import Hand, Peer, peer, peers
from support.tool_client import told
from swim_anyio.command.tools import asking, members
from swim_anyio.command.tools.asking import NoAnswer, Target, read_target
from swim_anyio.command.tools.changes import changes
from swim_anyio.command.tools.choosing import Choice
from swim_anyio.command.tools.members import footer
from swim_anyio.command.tools.naming import likely
from swim_anyio.command.tools.reading import HEADER, View, read_reasons, read_view
from swim_anyio.command.tools.why import reasons_record, tell_reasons, unknown
from swim_anyio.command.tools.writing import ago, clock_time, columns, span
from swim_core import Address, Config, ConfigError, KernelEvidence, Key, Keys, Rule, State
from swim_core.address import pack
from swim_core.native.wire.answers import MembersPage, Standing
from swim_core.native.wire.queries import What

A, B, C = peers(3)
KEYS = Keys([Key(bytes(range(32)))])


def view(hand: Hand) -> View:
    return read_view(told(hand, What.EVERYONE))


def why(hand: Hand, name: str) -> str:
    return tell_reasons(read_reasons(told(hand, What.REASON, name.encode())))


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SWIM_")]:
        monkeypatch.delenv(name)


# ------------------------------------------------------------------ numbers and columns


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (59.4, "59s"),
        (59.6, "1m00s"),
        (185, "3m05s"),
        (3_599.6, "1h00m"),
        (7_800, "2h10m"),
        (86_399.9, "1d00h"),
        (443_000, "5d03h"),
        (8.64e7, "1000d00h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert ago(seconds) == text


def test_round_trips() -> None:
    assert [span(s) for s in (None, 0.0, 0.000_31, 0.012_34, 1.5)] == ["-", "0.00ms", "0.31ms", "12.3ms", "1500ms"]


def test_times_have_milliseconds_and_never_a_thousand_of_them() -> None:
    assert clock_time(1_700_000_000.9999).endswith(".999")
    assert clock_time(1_700_000_000.0, date=True)[:11] in ("2023-11-14 ", "2023-11-15 ")


def test_columns_are_as_wide_as_what_stands_in_them() -> None:
    assert columns(("A", "BB"), [("xxx", "y"), ("", "z")]).split("\n") == ["A    BB", "xxx  y", "     z"]


def test_nothing_from_the_network_reaches_a_terminal_as_it_is() -> None:
    hand = Hand(knows=[Peer("a b", Address("10.0.0.9", 7946))], metadata={"k": "\x1b[2J\nx"})
    seen = view(hand).members["me"]
    assert r"k=\x1b[2J\nx" in columns(HEADER, [seen.cells()])
    assert len(columns(HEADER, [seen.cells()]).split("\n")) == 2


# ------------------------------------------------------------------ views


def test_a_view_is_sorted_by_name_and_its_records_say_all() -> None:
    hand = Hand(knows=[B, A, C], metadata={"role": "cache"})
    hand.feed(A, claims=[B.claim(State.DEAD, by=C.short_id, rule=Rule.GONE, time=hand.cluster_time)])
    seen = view(hand)
    assert list(seen.members) == ["me", "p1", "p2", "p3"]
    record = seen.members["p2"].record()
    assert (record["state"], record["rule"], record["accuser"]) == ("dead", "gone", "p3")
    assert set(seen.members["me"].record()) == set(record) - {"rule", "accuser"}
    assert seen.members["me"].record()["metadata"] == {"role": "cache"}


def test_the_footer_counts_and_warns() -> None:
    hand = Hand(knows=[A, B])
    hand.feed(A, claims=[B.claim(State.LEFT)])
    assert footer(read_view(told(hand, What.MEMBERS))) == ["me sees 2 live members, 1 gone (--gone lists them)."]
    assert footer(view(hand)) == ["me sees 2 live members, 1 gone."]
    hand.node.leave(now=hand.now)
    assert footer(view(hand))[-1] == "Note: me has left the cluster, so this is getting out of date."


@pytest.mark.parametrize(
    ("host", "keys", "insecure", "noted"),
    [
        ("10.0.0.1", None, False, True),
        ("127.0.0.1", None, False, False),
        ("10.0.0.1", KEYS, False, False),
        ("10.0.0.1", None, True, False),
    ],
    ids=["plain", "loopback", "sealed", "as wanted"],
)
def test_a_view_that_came_unsealed_from_where_others_reach_it_has_a_note(
    host: str,
    keys: Keys | None,
    insecure: bool,
    noted: bool,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if insecure:
        monkeypatch.setenv("SWIM_INSECURE", "1")
    (page,) = cast("list[MembersPage]", told(Hand(knows=[A]), What.MEMBERS))
    page = replace(page, teller=replace(page.teller, address=pack(Address(host, 7946))))

    async def ask(target: Target, what: What, argument: bytes = b"") -> list[MembersPage]:
        return [page]

    monkeypatch.setattr(members, "ask", ask)
    monkeypatch.setattr(members, "read_target", lambda join, cluster: Target((), "", "", keys))
    for json in (False, True):
        members.run_members(None, None, Choice(), gone=False, json=json)
    printed = capfd.readouterr().out
    assert ("Note: the answer of me is not sealed" in printed) is noted
    assert ('"sealed":true' in printed, '"sealed":false' in printed) == (keys is not None, keys is None)


# ------------------------------------------------------------------ timelines


def test_the_accusers_story_names_everybody_and_the_rule() -> None:
    hand = Accuser(6)
    hand.accuse()
    hand.until(lambda: hand.verdict() is State.DEAD, 8.0)
    story = why(hand, hand.subject.name)
    lines = story.split("\n")
    where = hand.subject.address
    assert lines[0] == f"me sees p6 ({where}) as dead: no answer for 5.5 s (other members confirm it)."
    assert lines[1].startswith("me declared it dead at 20")
    assert "+0.000  me" in lines[3]
    assert lines[3].endswith("probe timed out   sent 0.50 s before, no answer")
    assert "declared dead" in lines[-1]
    assert max(map(len, lines)) < 130
    assert "swim why" not in story


def test_a_process_that_hangs_on_a_host_that_answers_is_said_to_hang() -> None:
    hand = Accuser(6)
    hand.accuse()
    hand.evidence(KernelEvidence.REACHABLE, hand.subject.address)
    hand.until(lambda: hand.verdict() is State.DEAD, 8.0)
    first = why(hand, hand.subject.name).split("\n")[0]
    assert first.endswith("as dead: hangs: its host answers, the process has been silent for 5.5 s.")


def test_what_happened_long_before_is_a_story_of_its_own() -> None:
    hand = Accuser(6)
    hand.accuse()
    hand.until(lambda: hand.verdict() is State.DEAD, 8.0)
    reasons = read_reasons(told(hand, What.REASON, b"p6"))
    again = [replace(note, at=note.at + 60_000, last=note.last + 60_000) for note in reasons.notes]
    once = tell_reasons(reasons).split("\n")
    twice = tell_reasons(replace(reasons, notes=(*reasons.notes, *again))).split("\n")
    assert twice[: len(once)] == once
    assert twice[len(once)] == ""
    assert [line[12:] for line in twice[len(once) + 1 :]] == [line[12:] for line in once[3:]]


def test_on_a_narrow_terminal_details_go_on_below_and_commands_stay_whole() -> None:
    hand = Accuser(6)
    hand.accuse()
    hand.until(lambda: hand.verdict() is State.DEAD, 8.0)
    reasons = read_reasons(told(hand, What.REASON, b"p6"))
    lines = tell_reasons(reasons, 80).split("\n")
    assert max(map(len, lines)) <= 80
    assert any(line.startswith(" " * 40) for line in lines)
    assert " ".join(" ".join(lines).split()) == " ".join(tell_reasons(reasons).split())
    assert tell_reasons(reasons, 50) == tell_reasons(reasons)
    hearer = Hand(knows=[A, B, C])
    hearer.feed(A, claims=[B.claim(State.DEAD, by=C.short_id, rule=Rule.GONE, time=hearer.cluster_time)])
    heard = read_reasons(told(hearer, What.REASON, b"p2"))
    assert tell_reasons(heard, 60).split("\n")[-1] == f"  swim why --join {C.address} p2"


def test_who_only_heard_of_it_sends_to_the_one_who_knows() -> None:
    hand = Hand(knows=[A, B, C])
    hand.feed(A, claims=[B.claim(State.DEAD, by=C.short_id, rule=Rule.GONE, time=hand.cluster_time)])
    story = why(hand, "p2").split("\n")
    assert story[-2:] == [
        "me only heard of this. Ask p3, which was there:",
        f"  swim why --join {C.address} p2",
    ]
    hand.feed(A, claims=[B.claim(State.DEAD, incarnation=1, by=77, rule=Rule.GONE, time=hand.cluster_time)])
    assert why(hand, "p2").split("\n")[-1].endswith("which it no longer knows.")


@pytest.mark.parametrize(("name", "as_argument"), [("--json", "-- --json"), ("a; reboot", "'a; reboot'")])
def test_a_name_in_a_command_that_is_advised_is_nothing_but_a_name(name: str, as_argument: str) -> None:
    odd = peer(2, name)
    hand = Hand(knows=[A, odd, C])
    hand.feed(A, claims=[odd.claim(State.DEAD, by=C.short_id, rule=Rule.GONE, time=hand.cluster_time)])
    assert why(hand, name).split("\n")[-1] == f"  swim why --join {C.address} {as_argument}"


def test_one_that_lives_and_one_that_said_goodbye() -> None:
    hand = Hand(knows=[A, B])
    assert why(hand, "p1").split("\n")[::2] == [
        "me sees p1 (10.0.0.3:7946) as alive.",
        "Nothing speaks against it.",
    ]
    assert "This is the member that was asked." in why(hand, "me")
    hand.feed(B, claims=[B.claim(State.LEFT, by=B.short_id, time=hand.cluster_time)])
    first, second, *_ = why(hand, "p2").split("\n")
    assert first == "me sees p2 (10.0.0.4:7946) as having left: said goodbye."
    assert second.startswith("p2 left at ")


def test_a_story_is_for_programs_too() -> None:
    hand = Accuser(6)
    hand.accuse()
    hand.until(lambda: hand.verdict() is State.DEAD, 8.0)
    reasons = read_reasons(told(hand, What.REASON, b"p6"))
    record = cast(dict[str, Any], reasons_record(reasons))
    assert (record["member"]["rule"], record["accuser_address"]) == ("silent", str(hand.me.address))
    assert record["at"] == pytest.approx(record["t"], abs=0.1)  # the member is still asked for 50 ms after the verdict
    votes = [o for o in record["observations"] if o["what"] == "vote silent"]
    assert all(vote["count"] > 1 and vote["last"] > vote["t"] for vote in votes)
    assert record["observations"][0].keys() == {"t", "observer", "what", "detail"}


def test_an_unknown_name_is_said_with_what_helps() -> None:
    reasons = read_reasons(told(Hand(), What.REASON, b"eve"))
    assert unknown(reasons, "eve").endswith("swim members --gone --join 10.0.0.1:7946 lists all it knows")
    assert unknown(reasons, "eve", ["eva", "eve-2"]).endswith("knows no member named 'eve'; did you mean eva or eve-2?")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("web-1", ["web-10", "web-11", "web-2"]),
        ("wb-10", ["web-10", "web-11", "web-2"]),
        ("zzz", []),
        ("cac", ["cache"]),
    ],
)
def test_names_that_may_have_been_meant(name: str, meant: list[str]) -> None:
    assert likely(name, ["cache", "web-2", "web-10", "web-11"]) == meant


# ------------------------------------------------------------------ what happened between two views


def happened(hand: Hand, *claims: Any) -> list[tuple[Any, Any]]:
    before = view(hand)
    hand.feed(A, claims=claims)
    return [(record["event"], record["member"]) for record in changes(before, view(hand))]


def test_what_happened_is_what_an_agent_would_have_said() -> None:
    hand = Hand(knows=[A, B, C])
    time = hand.cluster_time
    assert happened(hand) == []
    assert happened(hand, peer(9).claim()) == [("alive", "p9")]
    assert happened(hand, B.claim(State.SUSPECT, by=A.short_id, time=time)) == [("suspect", "p2")]
    assert happened(hand, B.claim(incarnation=1)) == [("alive", "p2")]
    assert happened(hand, B.claim(State.DEAD, incarnation=1, by=A.short_id, time=time)) == [("dead", "p2")]
    assert happened(hand, C.claim(State.LEFT)) == [("left", "p3")]
    assert happened(hand, A.claim(incarnation=1, metadata=b"\x81\xa1a\xa1b")) == [("updated", "p1")]
    newer = peer(9)
    newer.epoch += 1 << 16
    assert happened(hand, newer.claim()) == [("dead", "p9"), ("alive", "p9")]


def test_a_death_comes_with_rule_and_accuser() -> None:
    hand = Hand(knows=[A, B, C])
    before = view(hand)
    hand.feed(A, claims=[B.claim(State.DEAD, by=C.short_id, rule=Rule.GONE, time=hand.cluster_time)])
    (record,) = changes(before, view(hand))
    assert (record["rule"], record["accuser"]) == ("gone", "p3")


def test_the_forgotten_are_told() -> None:
    hand = Hand(knows=[A, B], config=Config.lan(forget_left_after=2))
    hand.answering = [A]
    hand.feed(A, claims=[B.claim(State.LEFT)])
    before = view(hand)
    hand.run(5.0)
    assert [(r["event"], r["member"]) for r in changes(before, view(hand))] == [("forgotten", "p2")]


def test_isolation_of_the_asked_member_is_told() -> None:
    before = view(Hand())
    after = View(replace(before.teller, standing=Standing.ISOLATED), before.members, before.t)
    assert [record["event"] for record in changes(before, after)] == ["isolated"]
    assert [record["event"] for record in changes(after, before)] == ["reconnected"]


# ------------------------------------------------------------------ whom to ask


def test_whom_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_target(None, None).addresses == (("127.0.0.1", 7946),)
    monkeypatch.setenv("SWIM_JOIN", "127.0.0.2:1,[::1]:2")
    monkeypatch.setenv("SWIM_CLUSTER", "blue")
    target = read_target(None, None)
    assert (target.addresses, target.cluster) == ((("127.0.0.2", 1), ("::1", 2)), "blue")
    assert read_target("10.0.0.1", "").addresses == (("10.0.0.1", 7946),)
    assert read_target("10.0.0.1", "").cluster == ""
    assert read_target("fe80::1%eth0", None).zone == "eth0"


@pytest.mark.parametrize(
    ("join", "cluster", "variables", "says"),
    [
        ("127.0.0.1:port", None, {}, "--join: "),
        ("127.0.0.1:0", None, {}, "--join: "),
        ("", None, {}, "--join: "),
        (None, "x" * 65, {}, "--cluster: "),
        (None, None, {"SWIM_JOIN": "a:port"}, "SWIM_JOIN: "),
        (None, None, {"SWIM_CLUSTER": "\t"}, "SWIM_CLUSTER: "),
    ],
)
def test_a_bad_option_or_variable_is_named(
    join: str | None, cluster: str | None, variables: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=says):
        read_target(join, cluster)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 70])
def test_a_host_that_is_none(host: str) -> None:
    with pytest.raises(NoAnswer, match="doesn't resolve"):
        read_target(host, None)


@pytest.mark.parametrize(
    ("address", "route", "zone", "source"),
    [
        ("192.0.2.1", "192.0.2.1", "", "127.0.0.1"),
        ("192.0.2.1", "192.0.2.9", "", "0.0.0.0"),
        ("192.0.2.1", None, "", "0.0.0.0"),
        ("2001:db8::1", "2001:db8::1", "", "::1"),
        ("2001:db8::1", "2001:db8::9", "", "::"),
        ("fe80::1", None, "eth0", "::%eth0"),
    ],
)
def test_this_hosts_own_addresses_are_asked_from_loopback(
    address: str, route: str | None, zone: str, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member that listens at only one of them answers loopback, and takes its own address for a stranger's."""
    monkeypatch.setattr(asking, "route_source", lambda destination, family: route)
    assert asking.source_for(Address(address, 7946), zone) == source
