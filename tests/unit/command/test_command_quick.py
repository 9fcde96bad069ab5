"""The quick way to read an agent's options agrees with the full one."""

import inspect

import pytest
import typer

from swim_anyio.command.app import app
from swim_anyio.command.launch import launch_agent
from swim_anyio.command.quick import OPTIONS, REPEATABLE, read_agent_options


def test_the_options_are_those_that_typer_declares() -> None:
    agent = typer.main.get_command(app).commands["agent"]  # type: ignore[attr-defined]
    declared = {param.name: param for param in agent.params if param.name != "help"}
    assert list(declared) == list(OPTIONS) == list(inspect.signature(launch_agent).parameters)
    assert {name for name, param in declared.items() if param.multiple} == REPEATABLE
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
        ["agent", "--metadata", "a=b", "--log-level", "error", "--lifeline", "3", "--bind", "", "--cluster", "x y"],
    ],
)
def test_what_is_read_is_what_typer_reads(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    read: dict[str, object] = {}
    monkeypatch.setattr("swim_anyio.command.app.launch_agent", lambda **options: read.update(options))
    defaults = {name: parameter.default for name, parameter in inspect.signature(launch_agent).parameters.items()}
    quick = read_agent_options(arguments)
    if not arguments:
        assert quick is None
        return
    assert quick is not None
    app(arguments, standalone_mode=False)
    for name in REPEATABLE:  # some versions of typer give an empty list for an option that is not given
        read[name] = read[name] or None
    assert read == defaults | quick


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
        ["agent", "--preset", "moon"],
        ["agent", "--backend", ""],
        ["demo", "-n", "3"],
        ["--version"],
    ],
)
def test_whatever_needs_judgement_is_left_to_typer(arguments: list[str]) -> None:
    assert read_agent_options(arguments) is None
