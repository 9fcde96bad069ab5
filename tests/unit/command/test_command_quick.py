"""The quick way to read an agent's options agrees with the full one."""

import msgspec
import pytest
import typer

from swim_anyio.command.agent_options import AgentOptions
from swim_anyio.command.app import app
from swim_anyio.command.quick import FLAGS, PAIRS, READERS, REPEATABLE, read_agent_options


def test_the_options_are_those_that_typer_declares() -> None:
    agent = typer.main.get_command(app).commands["agent"]  # type: ignore[attr-defined]
    declared = {param.name: param for param in agent.params if param.name != "help"}
    assert tuple(declared) == AgentOptions.__struct_fields__
    assert {name for name, param in declared.items() if param.multiple} == REPEATABLE
    assert {name for name, param in declared.items() if param.nargs == 2} == PAIRS
    assert {name for name, param in declared.items() if param.is_flag} == FLAGS
    texts = {field.name for field in msgspec.structs.fields(AgentOptions) if field.type in (str, str | None)}
    assert READERS.keys() == declared.keys() - texts - REPEATABLE - PAIRS - FLAGS
    for name, param in declared.items():
        assert param.opts == [f"--{name.replace('_', '-')}"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["agent"],
        ["agent", "--name", "n1", "--join", "a:1", "--join", "b:2", "--format", "json"],
        ["agent", "--probe-interval", "0.2", "--max-broadcast", "99", "--preset", "wan", "--backend", "trio"],
        ["agent", "--name", "n1", "--name", "n2"],
        ["agent", "--on", "dead,left", "./page.sh now", "--name", "n1"],
        ["agent", "--no-tripwires", "--name", "n1"],
        ["agent", "--name", "n1", "--no-tripwires"],
        ["agent", "--name", "null", "--peers", "true", "--on", "null", "false"],
        ["agent", "--metadata", "a=b", "--log-level", "error", "--lifeline", "3", "--bind", "", "--cluster", "x y"],
    ],
)
def test_what_is_read_is_what_typer_reads(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[AgentOptions] = []
    monkeypatch.setattr("swim_anyio.command.app.launch_agent", read.append)
    quick = read_agent_options(arguments)
    if not arguments:
        assert quick is None
        return
    app(arguments, standalone_mode=False)
    [full] = read
    for name in REPEATABLE:  # some versions of typer give an empty list for an option that is not given
        full = msgspec.structs.replace(full, **{name: getattr(full, name) or None})
    assert quick == full


@pytest.mark.parametrize(
    "arguments",
    [
        ["agent", "--help"],
        ["agent", "--name"],
        ["agent", "--on", "dead"],
        ["agent", "--no-tripwires", "yes"],
        ["agent", "--name=n1"],
        ["agent", "--nam", "n1"],
        ["agent", "name", "n1"],
        ["agent", "--name", "--bind"],
        ["agent", "--probe-interval", "soon"],
        ["agent", "--max-broadcast", "1.5"],
        ["agent", "--max-broadcast", "2.0"],
        ["agent", "--lifeline", "null"],
        ["agent", "--preset", "moon"],
        ["agent", "--backend", ""],
        ["demo", "-n", "3"],
        ["--version"],
    ],
)
def test_whatever_needs_judgement_is_left_to_typer(arguments: list[str]) -> None:
    assert read_agent_options(arguments) is None
