"""Reads a plain `swim agent` command line without typer, which would stay in the memory of every member.

Recent versions of typer load pydantic: together they double the time that an agent needs to start (by 0.2 s of a
processor) and add 12 MB to the 27 that it takes. `app` still defines the command. Only simple command lines are read
here, and a test keeps the two in agreement.
"""

from collections.abc import Callable, Sequence
from typing import Any

from .choices import AnswerTools, Backend, Discovery, Format, LogLevel, Preset, Protocol

__all__ = ["OPTIONS", "REPEATABLE", "read_agent_options"]

OPTIONS: dict[str, Callable[[str], object]] = {
    "bind": str,
    "join": str,
    "name": str,
    "advertise": str,
    "metadata": str,
    "cluster": str,
    "discover": Discovery,
    "protocol": Protocol,
    "preset": Preset,
    "probe_interval": float,
    "stall_tolerance": float,
    "max_broadcast": int,
    "no_tripwires": bool,
    "answer_tools": AnswerTools,
    "key_file": str,
    "accept_plain": bool,
    "insecure": bool,
    "backend": Backend,
    "format": Format,
    "log_level": LogLevel,
    "log_format": Format,
    "peers": str,
    "http": str,
    "metrics": str,
    "on": str,
    "lifeline": int,
}
REPEATABLE = {"join", "metadata"}
PAIRS = {"on"}
FLAGS = {"no_tripwires", "accept_plain", "insecure"}

_NAMES = {f"--{name.replace('_', '-')}": name for name in OPTIONS}


def read_agent_options(arguments: Sequence[str]) -> dict[str, Any] | None:
    """The options of ``agent --option value --flag ...`` for `launch_agent`, or None to leave the line to typer."""
    if arguments[:1] != ["agent"]:
        return None
    options: dict[str, Any] = {}
    words = iter(arguments[1:])
    for option in words:
        name = _NAMES.get(option)
        if name in FLAGS:
            options[name] = True
            continue
        text = next(words, "-")
        if name is None or text.startswith("-"):
            return None
        if name in PAIRS:
            second = next(words, "-")
            if second.startswith("-"):
                return None
            options[name] = text, second
            continue
        try:
            value = OPTIONS[name](text)
        except ValueError:
            return None
        if name in REPEATABLE:
            options.setdefault(name, []).append(value)
        else:
            options[name] = value
    return options
