"""Reads a plain `swim agent` command line without typer, which would stay in the memory of every member.

Recent versions of typer load pydantic: together they double the time that an agent needs to start (by 0.2 s of a
processor) and add 12 MB to the 27 that it takes. `app` still defines the command. Only simple command lines are read
here, and a test keeps the two in agreement.
"""

from collections.abc import Callable, Sequence
from typing import Any

from .agent_options import AgentOptions
from .choices import AnswerTools, Backend, Discovery, Format, LogLevel, Preset, Protocol

__all__ = ["FLAGS", "PAIRS", "READERS", "REPEATABLE", "read_agent_options"]

READERS: dict[str, Callable[[str], object]] = {
    "discover": Discovery,
    "protocol": Protocol,
    "preset": Preset,
    "probe_interval": float,
    "stall_tolerance": float,
    "max_broadcast": int,
    "answer_tools": AnswerTools,
    "backend": Backend,
    "format": Format,
    "log_level": LogLevel,
    "log_format": Format,
    "lifeline": int,
}
"""The options that aren't taken as they are typed."""
REPEATABLE = {"join", "metadata"}
PAIRS = {"on"}
FLAGS = {"no_tripwires", "accept_plain", "insecure"}

_NAMES = {f"--{name.replace('_', '-')}": name for name in AgentOptions.__struct_fields__}


def read_agent_options(arguments: Sequence[str]) -> AgentOptions | None:
    """The options of ``agent --option value --flag ...``, or None to leave the line to typer."""
    if arguments[:1] != ["agent"]:
        return None
    given: dict[str, Any] = {}
    words = iter(arguments[1:])
    for option in words:
        name = _NAMES.get(option)
        if name in FLAGS:
            given[name] = True
            continue
        typed = [next(words, "-") for _ in range(2 if name in PAIRS else 1)]
        if name is None or any(word.startswith("-") for word in typed):
            return None
        try:
            values = [READERS.get(name, str)(word) for word in typed]
        except ValueError:
            return None
        if name in REPEATABLE:
            given[name] = [*given.get(name, ()), *values]
        else:
            given[name] = tuple(values) if name in PAIRS else values[0]
    return AgentOptions(**given)
