"""Standard input of the agent: cutting a stream into lines, and lines into commands."""

import json
import pickle
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim_anyio.command.commands import (
    MAX_LINE,
    Broadcast,
    Command,
    CommandError,
    Help,
    Leave,
    Lines,
    Members,
    Metadata,
    Ping,
    Send,
    Why,
    parse,
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"", None),
        (b"  \t\r\n", None),
        (b"broadcast hello", Broadcast(b"hello")),
        (b"broadcast  two  spaces \r\n", Broadcast(b" two  spaces ")),
        (b"broadcast \xff\x00", Broadcast(b"\xff\x00")),
        (b"send n2 hello you", Send("n2", b"hello you")),
        (b'send "my node" hi', Send("my node", b"hi")),
        (b'send "qu\\"ote" \xff', Send('qu"ote', b"\xff")),
        ("send knoten-ß x".encode(), Send("knoten-ß", b"x")),
        (b"members", Members()),
        (b"  members \n", Members()),
        (b"leave\r\n", Leave()),
        (b"quit", Leave()),
        (b"help", Help()),
        (b"?\n", Help()),
        (b"why n2", Why("n2")),
        (b"why  my node \n", Why("my node")),
        (b'ping "my node"', Ping("my node")),
        (b"metadata", Metadata({})),
        (b"metadata role=web zone=", Metadata({"role": "web", "zone": ""})),
        (b"metadata 'motto=to be' x==", Metadata({"motto": "to be", "x": "="})),
    ],
)
def test_commands(line: bytes, expected: Command | None) -> None:
    assert parse(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        b"brodcast x",
        b"broadcast",
        b"broadcast ",
        b"send",
        b"send n2",
        b"send n2 ",
        b'send "n2',
        b'send "n2"',
        b"members please",
        b"leave now",
        b"quit now",
        b"help me",
        b"why",
        b"ping ",
        b'ping "n2',
        b'why "n2" x',
        b"metadata role",
        b"metadata =web",
        b"metadata 'role=web",
        b"\xff\xfe",
        b"broadcast " + b"x" * MAX_LINE,
    ],
)
def test_what_is_no_command_says_what_one_looks_like(line: bytes) -> None:
    with pytest.raises(CommandError) as caught:
        parse(line)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@given(st.binary(max_size=200))
def test_any_line_is_a_command_or_an_error(line: bytes) -> None:
    with suppress(CommandError):
        parse(line)


@given(st.text(min_size=1, max_size=20), st.binary(min_size=1, max_size=20))
def test_any_name_can_be_written_in_quotes(name: str, payload: bytes) -> None:
    payload = b"a" + payload.replace(b"\n", b"") + b"z"
    assert parse(b"send " + json.dumps(name).encode() + b" " + payload) == Send(name, payload)


@given(st.lists(st.binary(max_size=30)), st.lists(st.integers(1, 20)))
def test_lines_do_not_depend_on_how_the_stream_is_cut(parts: list[bytes], cuts: list[int]) -> None:
    stream = b"\n".join(parts)
    lines, cut, position = Lines(), [], 0
    for size in [*cuts, len(stream) + 1]:
        if piece := stream[position : position + size]:
            cut += lines.feed(piece)
        position += size
    cut += lines.feed(b"")
    expected = stream.split(b"\n")
    assert cut == (expected if expected[-1] else expected[:-1])


def test_a_stream_without_newlines_fills_no_memory() -> None:
    lines = Lines()
    for _ in range(100):
        assert lines.feed(b"x" * 50_000) == []
    assert len(pickle.dumps(lines)) < MAX_LINE + 1_000
    overlong, following = lines.feed(b"\nmembers\n")
    with pytest.raises(CommandError, match="at most 65536 bytes"):
        parse(overlong)
    assert parse(following) == Members()
