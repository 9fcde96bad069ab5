"""`swim keys status` against running nodes, from the beginning of a rotation to its end; and what each kind of key can
have done."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.waiting import HERE, SOON
from support.worlds import QUICK
from swim_anyio.command.entry import run
from swim_anyio.command.tools import asking, leave
from swim_core import Key, Keys, LeaveOrdered, MessageReceived
from swim_core.native.sealing.ring import key_id
from swim_threads import ThreadNode, open_node

pytestmark = pytest.mark.sockets
OLD, NEW = Key(bytes(range(32))), Key(bytes(range(50, 82)))
Status = Callable[..., list[str]]


@pytest.fixture
def pair() -> Iterator[tuple[ThreadNode, ThreadNode]]:
    with ExitStack() as stack:
        ann = stack.enter_context(open_node(HERE, name="ann", config=QUICK, keys=Keys([OLD])))
        bob = stack.enter_context(open_node(HERE, name="bob", config=QUICK, keys=Keys([OLD]), join=[ann.local.address]))
        bob.wait_for_members(2, SOON)
        ann.wait_for_members(2, SOON)
        yield ann, bob


@pytest.fixture
def status(
    pair: tuple[ThreadNode, ThreadNode], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Status:
    """Runs the command against ann, with the expected status and keys; returns its lines."""

    def status(*keys: Key, expected: int) -> list[str]:
        monkeypatch.setenv("SWIM_KEY", ",".join(key.reveal() for key in keys))
        assert run(["keys", "status", "--join", str(pair[0].local.address)]) == expected
        return capfd.readouterr().out.splitlines()

    return status


def test_it_tells_when_all_prefer_the_new_key(pair: tuple[ThreadNode, ThreadNode], status: Status) -> None:
    old, new = (f"{key_id(key, ''):08x}" for key in (OLD, NEW))
    assert status(OLD, expected=0)[-1] == f"all 2 prefer {old}"
    assert status(OLD.reader_of(""), expected=0)[-1] == f"all 2 prefer {old}"
    for node in pair:
        node.set_keys(Keys([NEW, OLD]))
        lines = status(OLD, expected=int(node is pair[0]))
    assert lines[-1] == f"all 2 prefer {new}"
    assert [line.split()[2:] for line in lines[1:3]] == [[new, old, "refused"]] * 2


@pytest.mark.parametrize("command", [["members"], ["why", "bob"], ["broadcast", "x"], ["keys", "status"]])
def test_the_file_of_the_option_takes_the_place_of_variables(
    pair: tuple[ThreadNode, ThreadNode], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: list[str]
) -> None:
    (file := tmp_path / "swim.key").write_text(OLD.reveal())
    for name in ("SWIM_KEY", "SWIM_KEY_FILE"):
        monkeypatch.setenv(name, NEW.reveal())  # whatever they say; and they are put back
    assert run([*command, "--join", str(pair[0].local.address), "--key-file", str(file)]) == 0


def test_a_readers_key_asks_and_orders_nothing(
    pair: tuple[ThreadNode, ThreadNode], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ann, bob = pair
    join = ["--join", str(ann.local.address)]
    monkeypatch.setenv("SWIM_KEY", OLD.reader_of("").reveal())
    for question in (["members"], ["why", "bob"], ["events"], ["rtt"], ["reachability"], ["info"]):
        assert run([*question, *join]) == 0
    capfd.readouterr()
    orders = (
        ["broadcast", "x"],
        ["join", "127.0.0.1:9"],
        ["ping", "bob"],
        ["send", "bob", "x"],
        ["remove", "bob"],
        ["leave"],
    )
    for order in orders:
        assert run([*order, *join]) == 1
        assert "a reader's key can only ask" in capfd.readouterr().err
    monkeypatch.setenv("SWIM_KEY", OLD.reveal())
    monkeypatch.setattr(leave, "LONG_ENOUGH", 0.2)
    with bob.subscribe() as messages:
        assert run(["send", "bob", "x", *join]) == 0
        assert run(["ping", "bob", *join]) == 0
        while not isinstance(event := messages.get(SOON), MessageReceived):
            pass
    assert event.payload == b"x"
    bob.close()
    with ann.subscribe(current=True) as events:
        assert run(["leave", *join]) == 1  # this program doesn't
        while not isinstance(events.get(SOON), LeaveOrdered):
            pass


@pytest.mark.parametrize("command", [["members"], ["keys", "status"]])
def test_who_asks_with_another_key_is_told_so_within_two_seconds(
    pair: tuple[ThreadNode, ThreadNode],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    command: list[str],
) -> None:
    assert asking.PATIENCE <= 2.0
    monkeypatch.setattr(asking, "PATIENCE", 0.5)
    monkeypatch.setenv("SWIM_KEY", NEW.reveal())
    address = pair[0].local.address
    assert run([*command, "--join", str(address)]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    said = f"swim: no answer from {address} within 0.5 s, asked with no cluster label and key {key_id(NEW, ''):08x}: "
    assert line.startswith(said + "it may hold other keys")


def test_who_does_not_answer_is_told(pair: tuple[ThreadNode, ThreadNode], status: Status) -> None:
    pair[1].set_keys([NEW.reveal()])  # it opens nothing that this command knows
    lines = status(OLD, expected=1)
    assert lines[2].split()[2:4] == ["no", "answer"]
    assert lines[-1] == f"1 of 2 prefer {key_id(OLD, ''):08x}, 1 did not answer"
