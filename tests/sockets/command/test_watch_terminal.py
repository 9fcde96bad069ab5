"""`swim watch` and `swim members` on a terminal: what is drawn, what keys do, and that the terminal is as it was."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.agents import STEADY, SWIM, AgentProcess, agents, ann_and_bob
from support.terminals import ALTERNATE, RESTORED, Terminal

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform == "win32", reason="terminals and signals as POSIX has them"),
]

CTRL_C, CTRL_Z, ENTER, ESCAPE, DOWN = b"\x03", b"\x1a", b"\r", b"\x1b", b"\x1b[B"


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[AgentProcess, AgentProcess]]:
    """ann and bob, who know each other."""
    with ann_and_bob() as both:
        yield both


def watch(of: AgentProcess, **options: Any) -> Terminal:
    """`swim watch`, once it has drawn something."""
    terminal = Terminal([*SWIM, "watch", "--join", of.address], **options)
    terminal.wait_for(b" live, ")
    return terminal


def test_a_table_on_a_terminal(pair: tuple[AgentProcess, AgentProcess]) -> None:
    terminal = Terminal([*SWIM, "members", "--join", pair[0].address])
    assert terminal.end() == 0
    assert b"role=cache" in terminal.written
    assert b"ann sees 2 live members." in terminal.written


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (lambda terminal: terminal.type(b"q"), 0),
        (lambda terminal: terminal.type(CTRL_C), 130),
        (lambda terminal: terminal.process.send_signal(signal.SIGTERM), 143),
        (lambda terminal: terminal.type(b"?/q" + CTRL_C), 130),
    ],
    ids=["q", "Ctrl-C", "SIGTERM", "Ctrl-C in the help"],
)
def test_however_it_ends_the_terminal_is_as_before(
    end: Callable[[Terminal], None], status: int, pair: tuple[AgentProcess, AgentProcess]
) -> None:
    terminal = watch(pair[0])
    terminal.wait_for(pair[1].address.encode())
    assert not terminal.is_as_before()
    end(terminal)
    assert terminal.end() == status
    assert terminal.before_closing
    assert b"Traceback" not in terminal.written


BROKEN = """
import sys
from swim_anyio.command.entry import run
from swim_anyio.command.tools.following import Follower

async def follow(self, shower):
    await shower.show(self.view, [])
    raise RuntimeError("a bug")

Follower.follow = follow
sys.exit(run(sys.argv[1:]))
"""


def test_after_an_exception_it_is_too(pair: tuple[AgentProcess, AgentProcess]) -> None:
    terminal = Terminal([sys.executable, "-c", BROKEN, "watch", "--join", pair[0].address])
    assert terminal.end() != 0
    assert ALTERNATE in terminal.written
    assert terminal.before_closing
    assert b"a bug" in terminal.written.rpartition(RESTORED)[2]


def test_keys_choose_explain_filter_and_sort(pair: tuple[AgentProcess, AgentProcess]) -> None:
    terminal = watch(pair[0])
    terminal.wait_for(b"Enter why")
    terminal.type(DOWN + ENTER)
    terminal.wait_for(b"ann sees bob (" + pair[1].address.encode() + b") as alive.")
    terminal.type(ESCAPE)
    terminal.wait_for(b"Enter why")
    terminal.type(b"/")
    terminal.type(b"role=c")
    terminal.wait_for(b"/role=c_")
    terminal.type(ENTER + b"s")
    terminal.wait_for(b"by name  only: role=c")
    terminal.type(b"?")
    terminal.wait_for(b"page up, page down")
    terminal.type(b"qq")
    assert terminal.end() == 0


def test_ctrl_z_gives_the_terminal_back_until_it_goes_on(pair: tuple[AgentProcess, AgentProcess]) -> None:
    script = '"$@"; echo stopped; read -r; fg'  # without a shell above it nothing can be stopped
    terminal = Terminal(["/bin/bash", "-mc", script, "bash", *SWIM, "watch", "--join", pair[0].address])
    terminal.wait_for(b"q quit")
    terminal.type(CTRL_Z)
    terminal.wait_for(RESTORED)
    terminal.wait_for(b"stopped\r\n")
    assert terminal.is_as_before()
    terminal.type(b"\n")
    terminal.wait_for(ALTERNATE)
    terminal.wait_for(b"q quit")
    terminal.type(b"q")
    assert terminal.end() == 0
    assert terminal.before_closing


def test_without_keys_it_takes_no_more_of_the_terminal_than_it_needs(pair: tuple[AgentProcess, AgentProcess]) -> None:
    terminal = watch(pair[0], stdin=subprocess.DEVNULL)
    terminal.wait_for(pair[1].address.encode())
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert terminal.before_closing
    assert ALTERNATE not in terminal.written
    assert b"q quit" not in terminal.written


def test_it_goes_on_with_another_member_and_knows_what_the_dead_one_was() -> None:
    with agents() as start:
        ann = start("ann", "--metadata", "role=first", settings=STEADY)
        bob = start("bob", join=ann, settings=STEADY)
        bob.wait_for("alive", member="ann")
        ann.wait_for("alive", member="bob")
        terminal = watch(ann)
        ann.process.kill()
        terminal.wait_for(b"bob is asked in place of ann")
        terminal.wait_for(b"bob sees 1 live, 1 gone")
        terminal.wait_for(b"role=first")
        terminal.type(b"q")
        assert terminal.end() == 0
