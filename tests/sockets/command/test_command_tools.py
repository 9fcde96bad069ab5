"""`swim members`, `why`, `broadcast` and `watch` against running agents, and every way in which they can fail."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from support.agents import PATIENCE, STEADY, SWIM, AgentProcess, agents, ann_and_bob, environment
from support.datagrams import opened, pack_datagram
from support.waiting import wait_until
from swim_anyio.command.entry import run
from swim_anyio.command.tools import asking
from swim_anyio.command.tools.naming import names_like
from swim_core import Address
from swim_core.address import pack as pack_address
from swim_core.native.wire.answers import MembersPage, Standing, Teller
from swim_core.native.wire.datagram import encode_item
from swim_core.native.wire.hashing import Hashes
from swim_core.native.wire.queries import Ask, Tell

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform == "win32", reason="terminals, pipes and signals as POSIX has them"),
]

Swim = Callable[..., "subprocess.CompletedProcess[str]"]
TOOLS = [["members"], ["why", "bob"], ["broadcast", "hello"], ["join", "127.0.0.1:1"], ["watch"]]
TOOLS += [["why"], ["events"], ["rtt"], ["reachability"], ["info"]]
TOOLS += [["ping", "bob"], ["send", "bob", "hello"], ["remove", "bob"], ["leave"]]


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[AgentProcess, AgentProcess]]:
    """ann and bob, who know each other."""
    with ann_and_bob() as both:
        yield both


@pytest.fixture
def swim(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Swim:
    """Runs a command line within this process, which is quicker than another."""
    for name in [name for name in os.environ if name.startswith("SWIM_")]:
        monkeypatch.delenv(name)

    def swim(*arguments: str, stdout: int | None = None, **variables: str) -> "subprocess.CompletedProcess[str]":
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with monkeypatch.context() as patch, contextlib.ExitStack() as files:
            if stdout is not None:
                patch.setattr(sys, "stdout", files.enter_context(open(stdout, "w", closefd=False)))
            status = run(list(arguments))
        return subprocess.CompletedProcess(arguments, status, *capfd.readouterr())

    return swim


def process(*arguments: str, **options: Any) -> "subprocess.Popen[bytes]":
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*SWIM, *arguments], env=environment(COLUMNS="80", TERM="xterm"), **{**pipes, **options})


def complaint(result: "subprocess.CompletedProcess[str]", status: int) -> str:
    """The one line on standard error; nothing on standard output."""
    assert (result.stdout, result.returncode) == ("", status)
    assert result.stderr.startswith("swim: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


# ------------------------------------------------------------------ what they say


def test_members_as_a_table(pair: tuple[AgentProcess, AgentProcess], swim: Swim) -> None:
    ann, bob = pair
    result = swim("members", "--join", ann.address)
    assert (result.returncode, result.stderr) == (0, "")
    header, first, second, footer = result.stdout.splitlines()
    assert header.split() == ["NAME", "ADDRESS", "STATE", "AGE", "ROUND", "TRIP", "METADATA"]
    assert first.split()[:3] == ["ann", ann.address, "alive"]
    assert second.split()[:3] == ["bob", bob.address, "alive"]
    assert second.split()[-1] == "role=cache"
    assert footer == "ann sees 2 live members."


def test_the_shell_completes_names_by_asking(pair: tuple[AgentProcess, AgentProcess], swim: Swim) -> None:
    ann, _ = pair
    assert names_like(ann.address, None, "b") == ["bob"]
    assert names_like(ann.address, None, "") == ["ann", "bob"]
    assert names_like("127.0.0.1:9", None, "b") == names_like("no such host", None, "b") == []


def test_members_for_programs(pair: tuple[AgentProcess, AgentProcess], swim: Swim) -> None:
    ann, bob = pair
    result = swim("members", "--gone", "--format", "json", SWIM_JOIN=bob.address)
    record = json.loads(result.stdout)
    assert (record["event"], record["asked"]["name"], record["asked"]["standing"]) == ("members", "bob", "fine")
    assert [(m["name"], m["address"], m["state"]) for m in record["members"]] == [
        ("ann", ann.address, "alive"),
        ("bob", bob.address, "alive"),
    ]


def test_only_the_members_that_one_asks_for(pair: tuple[AgentProcess, AgentProcess], swim: Swim) -> None:
    ann, _ = pair
    result = swim("members", "--where", "role=c*", "--state", "alive", "--join", ann.address)
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["NAME", "bob", "ann", "1"]
    assert result.stdout.splitlines()[-2:] == ["ann sees 2 live members.", "1 of 2 match."]
    record = json.loads(swim("members", "--name", "a*", "--join", ann.address, "--format", "json").stdout)
    assert [member["name"] for member in record["members"]] == ["ann"]


def test_who_is_near_whom_and_who_hears_whom(pair: tuple[AgentProcess, AgentProcess], swim: Swim) -> None:
    ann, _ = pair

    def near() -> list[tuple[str, list[str]]]:
        told = json.loads(swim("rtt", "--join", ann.address, "--format", "json").stdout)
        return [(member["name"], list(member["round_trips"])) for member in told["members"]]

    wait_until(lambda: near() == [("ann", ["bob"]), ("bob", ["ann"])])
    assert swim("rtt", "--join", ann.address).stdout.split()[:4] == ["NAME", "MEDIAN", "NEAREST", "FARTHEST"]
    result = swim("reachability", "--join", ann.address)
    assert (result.stdout, result.returncode) == ("2 of 2 members hear all others.\n", 0)
    hears = json.loads(swim("reachability", "--join", ann.address, "--format", "json").stdout)
    assert [(member["name"], member["hears"], member["deaf_to"]) for member in hears["members"]] == [
        ("ann", ["bob"], {}),
        ("bob", ["ann"], {}),
    ]


def test_a_host_by_name_and_the_first_of_several_that_answers(
    pair: tuple[AgentProcess, AgentProcess], swim: Swim
) -> None:
    ann, _ = pair
    port = ann.address.rpartition(":")[2]
    for join in (f"localhost:{port}", f"127.0.0.1:9,{ann.address}"):
        assert swim("members", "--join", join).returncode == 0


def test_over_ipv6_and_with_a_label(swim: Swim) -> None:
    with agents() as start:
        six = start("six", "--bind", "[::1]:0", "--cluster", "blue")
        result = swim("members", "--join", six.address, SWIM_CLUSTER="blue")
        assert (result.returncode, result.stdout.splitlines()[1].split()[:2]) == (0, ["six", six.address])
        assert swim("why", "six", "--join", six.address, "--cluster", "blue").returncode == 0


def test_a_running_member_is_told_of_another_to_join(swim: Swim) -> None:
    with agents() as start:
        ann, bob = start("ann"), start("bob")
        result = swim("join", bob.address, "--join", ann.address)
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout == f"ann is asking {bob.address} and has 1 seed now.\n"
        bob.wait_for("alive", member="ann")
        record = json.loads(swim("join", bob.address, "127.0.0.1:9", "--join", ann.address, "--format", "json").stdout)
        assert (record["event"], record["addresses"], record["seeds"]) == ("join", [bob.address, "127.0.0.1:9"], 2)
        assert record["asked"]["name"] == "ann"
    assert "ADDR" in complaint(swim("join", "127.0.0.1:0"), 2)


def test_a_broadcast_reaches_the_others(pair: tuple[AgentProcess, AgentProcess], swim: Swim) -> None:
    ann, bob = pair
    result = swim("broadcast", "deploy begins", "--join", ann.address)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("ann is telling 1 other member (broadcast ")
    bob.wait_for("broadcast", member="ann", data="deploy begins")
    record = json.loads(swim("broadcast", "again", "--join", ann.address, "--format", "json").stdout)
    bob.wait_for("broadcast", member="ann", data="again", number=record["number"])


def test_a_member_pings_and_sends_for_a_tool(pair: tuple[AgentProcess, AgentProcess], swim: Swim) -> None:
    ann, bob = pair
    result = swim("ping", "bob", "--join", ann.address)
    assert result.stdout.startswith(f"ann pings bob ({bob.address}): answered in ")
    assert (result.stdout.endswith("ms\n"), result.returncode) == (True, 0)
    record = json.loads(swim("ping", "bob", "--join", ann.address, "--format", "json").stdout)
    assert (record["member"], record["round_trip"] > 0) == ("bob", True)
    assert swim("send", "bob", "hello there", "--join", ann.address).returncode == 0
    bob.wait_for("message", member="ann", data="hello there")
    assert "ann refuses: 'bob' is live" in complaint(swim("remove", "bob", "--join", ann.address), 1)


@pytest.mark.parametrize("order", [("send", "NAME", "text"), ("remove", "NAME"), ("ping", "NAME")])
def test_an_order_that_names_nobody_says_where_the_names_are(
    order: tuple[str, ...], pair: tuple[AgentProcess, AgentProcess], swim: Swim
) -> None:
    ann, _ = pair
    for name, written in (("eve", "'eve'"), ("\udcff", r"'\udcff'")):
        complained = complaint(swim(*(name if word == "NAME" else word for word in order), "--join", ann.address), 1)
        lists = f"swim members --gone --join {ann.address} lists all it knows"
        assert complained == f"swim: ann knows no member named {written}; {lists}\n"


@pytest.mark.parametrize("verb", ["remove", "ping"])
def test_the_asked_member_itself_is_not_what_an_order_is_about(
    verb: str, pair: tuple[AgentProcess, AgentProcess], swim: Swim
) -> None:
    ann, _ = pair
    complained = complaint(swim(verb, "ann", "--join", ann.address), 1)
    assert complained == "swim: ann refuses: 'ann' is this node itself: give the name of another member\n"


def test_an_agent_leaves_when_a_tool_asks(swim: Swim) -> None:
    with agents() as start:
        ann = start("ann")
        bob = start("bob", join=ann)
        ann.wait_for("alive", member="bob")
        result = swim("leave", "--join", bob.address)
        assert (result.stdout, result.stderr, result.returncode) == ("bob has left.\n", "", 0)
        assert bob.wait_for("stopped")["reason"] == "told to leave by a tool"
        ann.wait_for("left", member="bob")
        assert bob.process.wait(PATIENCE) == 0


def test_the_statistics_of_a_member(pair: tuple[AgentProcess, AgentProcess], swim: Swim) -> None:
    ann, _ = pair
    result = swim("info", "--join", ann.address)
    lines = result.stdout.splitlines()
    assert lines[:2] == [f"ann at {ann.address}", "members      2 alive"]
    assert max(map(len, lines)) <= 80
    record = json.loads(swim("info", "--join", ann.address, "--format", "json").stdout)
    assert (record["asked"]["name"], record["statistics"]["members"]["alive"]) == ("ann", 2)


def next_event(watch: "subprocess.Popen[bytes]", event: str) -> dict[str, Any]:
    """The next record of that kind that a watch writes."""
    assert watch.stdout is not None
    record: dict[str, Any] = {}
    while record.get("event") != event:
        record = json.loads(watch.stdout.readline())
    return record


def test_a_death_is_explained_and_watched() -> None:
    with agents() as start:
        ann = start("ann", settings=STEADY)
        bob, eve = (start(name, join=ann, settings=STEADY) for name in ("bob", "eve"))
        for agent in (ann, bob, eve):
            for other in {"ann", "bob", "eve"} - {agent.name}:
                agent.wait_for("alive", member=other)
        with process("watch", "--join", ann.address, "--format", "json") as watch:
            assert watch.stdout is not None
            first = json.loads(watch.stdout.readline())
            assert [member["name"] for member in first["members"]] == ["ann", "bob", "eve"]
            eve.process.kill()
            died = next_event(watch, "dead")
            watch.send_signal(signal.SIGINT)
            assert watch.wait(PATIENCE) == 130
            assert watch.stderr is not None
            assert (watch.stdout.read(), watch.stderr.read()) == (b"", b"")
        assert (died["event"], died["member"]) == ("dead", "eve")
        accuser = {"ann": ann, "bob": bob}[died["accuser"]]
        story = subprocess.run(
            [*SWIM, "why", "eve", "--join", accuser.address, "--format", "json"],
            env=environment(),
            capture_output=True,
            check=True,
        )
        record = json.loads(story.stdout)
        last = subprocess.run(
            [*SWIM, "why", "--join", ann.address, "--format", "json"],
            env=environment(),
            capture_output=True,
            check=True,
        )
        latest = json.loads(last.stdout)
        assert (latest["member"]["name"], latest["silent"]) == ("eve", [])
        assert "declared dead" in [
            told["what"] for told in latest["observations"] if told["observer"] == latest["asked"]["name"]
        ]
        past = subprocess.run(
            [*SWIM, "events", "--since", "10m", "--join", ann.address, "--format", "json"],
            env=environment(),
            capture_output=True,
            check=True,
        )
        told = json.loads(past.stdout)
        deaths = [event for event in told["events"] if event["event"] == "dead"]
        assert {death["member"] for death in deaths} == {"eve"}
        assert {name for death in deaths for name in death["seen_by"]} == {"ann", "bob"}
        assert {death["accuser"] for death in deaths} <= {"ann", "bob"}  # both may have found out for themselves
        assert (told["answered"], told["silent"]) == (["ann", "bob"], [])
        assert (record["member"]["state"], record["member"]["rule"]) == ("dead", died["rule"])
        removed = subprocess.run(
            [*SWIM, "remove", "eve", "--join", ann.address],
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        assert removed.stdout.startswith("ann tells all that eve is gone for good")

        def at_bob() -> str:
            story = [*SWIM, "why", "eve", "--join", bob.address]
            return subprocess.run(story, env=environment(), capture_output=True, text=True, check=True).stdout

        wait_until(lambda: "removed by an operator, after it had died" in at_bob())
        assert "ann removed it at " in at_bob()
        assert {"watch began", "declared dead"} <= {o["what"] for o in record["observations"]}


def test_watch_says_when_nobody_answers_and_goes_on() -> None:
    with agents() as start:
        ann = start("ann", settings=STEADY)
        bob = start("bob", join=ann, settings=STEADY)
        ann.wait_for("alive", member="bob")
        with process("watch", "--join", ann.address, "--format", "json") as watch:
            assert watch.stdout is not None
            watch.stdout.readline()
            bob.process.kill()
            ann.process.kill()
            assert next_event(watch, "unanswered")["reason"] == "ann does not answer"
            assert next_event(watch, "unanswered")["reason"].startswith("nor does any other member. On other hosts ")
            again = start("ann", "--bind", ann.address)
            again.wait_for("started")
            next_event(watch, "answered")
            watch.send_signal(signal.SIGTERM)
            assert watch.wait(PATIENCE) == 128 + signal.SIGTERM


def test_watch_asks_another_member_when_the_one_that_it_asked_is_gone() -> None:
    with agents() as start:
        ann = start("ann", settings=STEADY)
        for name in ("bob", "eve"):
            start(name, join=ann, settings=STEADY)
            ann.wait_for("alive", member=name)
        with process("watch", "--join", ann.address, "--format", "json") as watch:
            assert watch.stdout is not None
            watch.stdout.readline()
            ann.process.kill()
            assert next_event(watch, "unanswered")["reason"] == "ann does not answer"
            reason = next_event(watch, "answered")["reason"]
            assert reason in ("bob is asked in place of ann", "eve is asked in place of ann")
            assert next_event(watch, "dead")["member"] == "ann"
            watch.send_signal(signal.SIGTERM)
            assert watch.wait(PATIENCE) == 128 + signal.SIGTERM


# ------------------------------------------------------------------ what goes wrong


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool[0])
def test_nothing_listens(tool: list[str], swim: Swim) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    said = complaint(swim(*tool, "--join", address), 1)
    assert said.startswith(f"swim: nothing listens at {address}: ")
    assert "--join" in said


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool[0])
def test_nobody_answers(tool: list[str], swim: Swim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE", 0.5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        said = complaint(swim(*tool, "--join", address, "--cluster", "blue"), 1)
    assert said.startswith(f"swim: no answer from {address} within 0.5 s, asked with the cluster label 'blue': ")


@contextlib.contextmanager
def endless() -> Iterator[str]:
    """The address of one who answers every question with a page, and says that there are more."""
    teller = Teller("eve", pack_address(Address("127.0.0.1", 7946)), 0, 1, 0, Standing.FINE)
    empty = msgspec.msgpack.encode(MembersPage(teller, []))

    def answer() -> None:
        while (received := sock.recvfrom(2_000))[0]:
            question = opened(received[0]).message
            assert isinstance(question, Ask)
            page = encode_item(Tell(question.nonce, question.cursor + 1, empty))
            sock.sendto(pack_datagram(Hashes("", 1).label, 0, 1, page), received[1])

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"127.0.0.1:{sock.getsockname()[1]}"
        finally:
            sock.sendto(b"", sock.getsockname())
            thread.join()


@pytest.mark.parametrize("tool", ["members", "watch"])
def test_an_answer_that_does_not_end_is_given_up(tool: str, swim: Swim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LONGEST", 0.1)
    monkeypatch.setattr("swim_core.native.tools.client.MAX_PAGES", 10**9)
    with endless() as address:
        said = complaint(swim(tool, "--join", address), 1)
    assert said == f"swim: the answer from {address} did not end within 0.1 s\n"


def test_the_patience_is_two_seconds() -> None:
    assert asking.PATIENCE == 2.0


def test_a_member_of_another_cluster_and_one_that_answers_nobody(swim: Swim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE", 0.5)
    with agents() as start:
        blue, mute = start("blue", "--cluster", "blue"), start("mute", "--answer-tools", "nobody")
        assert "no cluster label" in complaint(swim("members", "--join", blue.address), 1)
        assert "no answer" in complaint(swim("members", "--join", mute.address), 1)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["members", "--join", "127.0.0.1:port"], 2, "--join: "),
        (["members", "--join", "127.0.0.1:0"], 2, "--join: "),
        (["members", "--join", "no-such-host.invalid"], 1, "no-such-host.invalid"),
        (["members", "--cluster", "x" * 65], 2, "--cluster: "),
        (["members", "--format", "xml"], 2, "--format"),
        (["members", "extra"], 2, "extra"),
        (["members", "--all"], 2, "--all"),
        (["members", "--where", "role"], 2, "'role' is not KEY=VALUE"),
        (["watch", "--state", "tired"], 2, "'tired'"),
        (["events", "--since", "yesterday"], 2, "'yesterday' is not a duration"),
        (["why", "a", "b"], 2, "b"),
        (["broadcast"], 2, "TEXT"),
        (["watch", "--every", "1"], 2, "--every"),
    ],
)
def test_bad_usage(arguments: list[str], status: int, says: str, swim: Swim) -> None:
    assert says in complaint(swim(*arguments), status)


@pytest.mark.parametrize("variable", ["SWIM_JOIN", "SWIM_CLUSTER"])
def test_bad_variables_are_named(variable: str, swim: Swim) -> None:
    assert variable in complaint(swim("members", **{variable: "\t:" * 40}), 2)


def test_an_unknown_name(pair: tuple[AgentProcess, AgentProcess], swim: Swim) -> None:
    said = complaint(swim("why", "no\x1bbody", "--join", pair[0].address), 1)
    assert "ann knows no member named 'no\\x1bbody'" in said


def test_a_text_that_is_too_long(pair: tuple[AgentProcess, AgentProcess], swim: Swim) -> None:
    said = complaint(swim("broadcast", "x" * 257, "--join", pair[0].address), 1)
    assert "ann refuses to broadcast" in said
    assert "256" in said


@pytest.mark.parametrize("tool", TOOLS[:3], ids=lambda tool: tool[0])
def test_a_closed_pipe(tool: list[str], pair: tuple[AgentProcess, AgentProcess], swim: Swim) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    result = swim(*tool, "--join", pair[0].address, stdout=writing)
    os.close(writing)
    assert "closed before everything was written" in complaint(result, 1)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")
@pytest.mark.parametrize("tool", TOOLS[:3], ids=lambda tool: tool[0])
def test_a_full_disk(tool: list[str], pair: tuple[AgentProcess, AgentProcess], swim: Swim) -> None:
    with open("/dev/full", "wb") as full:
        result = swim(*tool, "--join", pair[0].address, stdout=full.fileno())
    assert "No space left" in complaint(result, 1)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ('"$@" | true; exit ${PIPESTATUS[0]}', "standard output was closed"),
        ('"$@" >/dev/full', "No space left"),
        ('"$@" >&-', "standard output is closed"),
    ],
    ids=["pipe", "disk", "none"],
)
def test_a_watch_that_can_say_nothing(script: str, says: str, pair: tuple[AgentProcess, AgentProcess]) -> None:
    if "/dev/full" in script and not os.path.exists("/dev/full"):
        pytest.skip("needs a device that is full")
    result = subprocess.run(
        ["/bin/bash", "-c", script, "bash", *SWIM, "watch", "--join", pair[0].address],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert says in complaint(result, 1)


def test_lines_for_programs_need_no_rich(pair: tuple[AgentProcess, AgentProcess]) -> None:
    code = "import sys; sys.modules['rich'] = None; from swim_anyio.__main__ import main; sys.exit(main())"
    result = subprocess.run(
        [sys.executable, "-c", code, "members", "--join", pair[0].address],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
