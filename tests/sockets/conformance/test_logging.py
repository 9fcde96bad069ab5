"""What both adapters log: under which names, at which levels, and with which fields."""

import logging
import os
import subprocess
import sys
from typing import Any

import pytest

import swim_anyio
import swim_threads
from support.fake_node import FakeConfig
from support.inside import engine_of
from support.loops import on_every_loop
from support.waiting import HERE
from swim_core import Address, Event, Evidence, Isolated, JoinAttempt, Member, MemberDied, MemberJoined, Rule

pytestmark = pytest.mark.sockets

BOB = Member("bob", Address("10.0.0.2", 7946))
SEED = Address("10.0.0.9", 7946)
EVENTS: list[Event] = [
    MemberJoined(BOB),
    MemberDied(BOB, Evidence(Rule.GONE, "eve", 0)),
    Isolated(),
    JoinAttempt((SEED,), (SEED,)),
]


def check(records: list[logging.LogRecord], family: str) -> None:
    """Whether these are the records of `EVENTS`."""
    said = [(record.name, record.levelname, record.getMessage()) for record in records if record.name != "asyncio"]
    assert said == [
        (f"{family}.events", "INFO", "ann: bob at 10.0.0.2:7946 joined"),
        (f"{family}.events", "INFO", "ann: bob at 10.0.0.2:7946 is dead (gone, says eve)"),
        (f"{family}.events", "WARNING", "ann: nobody was heard for the stall tolerance: this node is probably cut off"),
        (f"{family}.seeds", "WARNING", "ann: no answer from 10.0.0.9:7946: asking again, less and less often"),
    ]
    died: Any = next(record for record in records if "is dead" in record.getMessage())
    assert (died.node, died.event, died.member, died.address) == ("ann", "died", "bob", "10.0.0.2:7946")
    assert (died.rule, died.accuser) == ("gone", "eve")


def test_threads(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    config = FakeConfig()
    with swim_threads.open_node(HERE, name="ann", config=config) as node:
        engine_of(node).act(lambda *_: config.node.events.extend(EVENTS))
    check(caplog.records, "swim_threads")


@on_every_loop
async def test_loops(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    config = FakeConfig()
    async with swim_anyio.open_node(HERE, name="ann", config=config) as node:
        config.node.events.extend(EVENTS)
        node.broadcast(b"")
    check(caplog.records, "swim_anyio")


def broken(event: Event) -> None:
    raise ZeroDivisionError("a bug")


def test_a_listener_that_raises_is_logged_by_name(caplog: pytest.LogCaptureFixture) -> None:
    config = FakeConfig()
    with swim_threads.open_node(HERE, name="ann", config=config) as node, node.subscribe() as events:
        node.add_listener(broken)
        engine_of(node).act(lambda *_: config.node.events.append(MemberJoined(BOB)))
        events.get(timeout=30)
    (record,) = [record for record in caplog.records if record.name == "swim_threads.listeners"]
    assert record.getMessage() == "ann: a listener raised an exception on MemberJoined"
    assert (vars(record)["node"], vars(record)["event"]) == ("ann", "MemberJoined")
    assert record.exc_info is not None


@pytest.mark.processes
@pytest.mark.parametrize("package", ["swim_threads", "swim_anyio"])
def test_who_sets_up_no_logging_sees_nothing(package: str) -> None:
    """Otherwise Python would print warnings to standard error."""
    code = f"""
import logging, {package}
for name in ("", ".events", ".seeds", ".settings", ".multicast", ".listeners", ".metrics"):
    logging.getLogger("{package}" + name).warning("x")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("", "")


LISTENING = """
import logging, anyio, swim_anyio, swim_threads
from swim_core import Config, MemberJoined

{setup}

def broken(event):
    if isinstance(event, MemberJoined):
        raise ZeroDivisionError("a bug")

bob = swim_threads.open_node("127.0.0.1:0", name="bob", config=Config.local())
if {threads}:
    with swim_threads.open_node("127.0.0.1:0", name="ann", join=bob.local.address, listeners=[broken]) as ann:
        ann.wait_for_members(2, 30)
        ann.close()
else:
    async def main():
        async with swim_anyio.open_node("127.0.0.1:0", name="ann", join=bob.local.address, listeners=[broken]) as ann:
            await ann.wait_for_members(2)
    anyio.run(main)
bob.close()
"""


@pytest.mark.processes
def test_so_is_a_misspelt_variable() -> None:
    code = "import swim_threads; swim_threads.open_node('127.0.0.1:0', name='ann').close()"
    environment = {**os.environ, "SWIM_JION": "127.0.0.1:7946"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert run.stderr == "ann: nothing reads the variable SWIM_JION: is SWIM_JOIN meant?\n"


TWINS = """
import swim_threads

with swim_threads.open_node("127.0.0.1:0", name="ann") as ann:
    older = swim_threads.open_node("127.0.0.1:0", name="bob", join=ann.local.address)
    with older, older.subscribe() as events:
        ann.wait_for_members(2, 30)
        with swim_threads.open_node("127.0.0.1:0", name="bob", join=ann.local.address) as newer:
            while not isinstance(event := events.get(30), swim_threads.NameConflict):
                pass
            print(newer.local.address)
"""


@pytest.mark.processes
def test_so_is_a_name_that_two_processes_have() -> None:
    run = subprocess.run([sys.executable, "-c", TWINS], capture_output=True, text=True, check=True)
    address = run.stdout.strip()
    assert run.stderr.startswith(f"bob: another process at {address} has the same name: "), run.stderr
    assert run.stderr.count("\n") == 1


@pytest.mark.processes
@pytest.mark.parametrize("threads", [True, False], ids=["threads", "anyio"])
@pytest.mark.parametrize(
    ("setup", "seen"),
    [
        ("", True),
        ("logging.basicConfig(level='CRITICAL')", False),
        ("logging.getLogger('swim_threads').propagate = logging.getLogger('swim_anyio').propagate = False", False),
        ("logging.lastResort = None", False),
    ],
    ids=["not set up", "set up otherwise", "silenced", "no last resort"],
)
def test_a_mistake_in_a_listener_is_seen_where_logging_is_not_set_up(setup: str, seen: bool, threads: bool) -> None:
    code = LISTENING.format(setup=setup, threads=threads)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr.count("ZeroDivisionError: a bug") == (1 if seen else 0), run.stderr
    assert ("a listener raised an exception on MemberJoined" in run.stderr) == seen
