"""The command line: options, help, and what is said when something can't be done.

Exit statuses: 0 when the agent left as it was told (`leave`, SIGTERM, SIGHUP, a closed output) or the demo
held; 130 after Ctrl-C; 2 for a command line or setting that can't be used; 1 for all else.
"""

import logging
import os
import sys
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Option

from swim_core import Config, ConfigError, SwimError

if TYPE_CHECKING:
    from .agent import Settings

__all__ = ["run"]

FAILED = 1
MISUSED = 2
INTERRUPTED = 130

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,  # plain help is denser, and needs no rich
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Preset(StrEnum):
    """The presets of `Config`."""

    LOCAL = "local"
    LAN = "lan"
    WAN = "wan"


class Backend(StrEnum):
    """The event loops that anyio runs on."""

    ASYNCIO = "asyncio"
    TRIO = "trio"


class Format(StrEnum):
    """Lines for people or for programs."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """What the agent logs to standard error."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def run(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status. Every failure ends with one line on standard error."""
    try:
        status = app(arguments, prog_name="swim", standalone_mode=False)
    except KeyboardInterrupt:  # before the agent listens to signals: it has joined nothing yet
        return INTERRUPTED
    except typer.Abort:
        return INTERRUPTED
    except ConfigError as error:
        return _complain(str(error), MISUSED)
    except (SwimError, OSError) as error:
        return _complain(getattr(error, "strerror", None) or str(error), FAILED)
    except Exception as error:
        message = getattr(error, "format_message", None)  # click's own, wherever this version of typer keeps click
        if message is None:
            raise
        return _complain(f"{message()} (see swim --help)", MISUSED)
    return int(status or 0)


@app.callback(invoke_without_command=True)
def swim(
    context: typer.Context,
    version: Annotated[bool, Option("--version", help="Print the version.")] = False,
) -> None:
    """SWIM group membership: who is there, who is gone, and a word to all.

    \b
    Examples:
      swim demo
      swim agent --name n1
      swim agent --name n2 --bind 127.0.0.1:0 --join 127.0.0.1:7946
    """
    if version:
        from importlib.metadata import version as version_of

        print(f"swim {version_of('swim-membership')}")
        raise typer.Exit()
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command(short_help="Run one member of a cluster.")
def agent(
    bind: Annotated[str | None, Option(metavar="HOST:PORT", help="Listen here; port 0: any free one.")] = None,
    join: Annotated[list[str] | None, Option(metavar="HOST:PORT", help="A member to join; repeatable.")] = None,
    name: Annotated[str | None, Option(metavar="NAME", help="Unique in the cluster.")] = None,
    advertise: Annotated[str | None, Option(metavar="HOST[:PORT]", help="Where others reach this member.")] = None,
    metadata: Annotated[list[str] | None, Option(metavar="KEY=VALUE", help="Shown to all; repeatable.")] = None,
    cluster: Annotated[str | None, Option(metavar="LABEL", help="Members with another label are ignored.")] = None,
    preset: Annotated[Preset | None, Option(help="Settings for a kind of network [lan].")] = None,
    probe_interval: Annotated[float | None, Option(metavar="SECONDS", help="Each member is probed once in it.")] = None,
    stall_tolerance: Annotated[float | None, Option(metavar="SECONDS", help="A process may hang so long.")] = None,
    max_broadcast: Annotated[int | None, Option(metavar="BYTES", help="Of a broadcast or message.")] = None,
    backend: Annotated[Backend, Option(help="The event loop.")] = Backend.ASYNCIO,
    format: Annotated[Format, Option(help="For people or for programs.")] = Format.TEXT,
    log_level: Annotated[LogLevel, Option(metavar="LEVEL", help="debug, info, warning, error.")] = LogLevel.WARNING,
    lifeline: Annotated[int | None, Option(hidden=True)] = None,
) -> int:
    """Run one member: events on standard output, commands on standard input.

    \b
    Example:   swim agent --name n2 --bind 127.0.0.1:0 --join 127.0.0.1:7946
    Commands:  broadcast TEXT, send NAME TEXT, members, leave
    Settings:  also SWIM_BIND, SWIM_JOIN, SWIM_PRESET, SWIM_PROBE_INTERVAL ...
    Status:    0 left as told, 130 Ctrl-C, 2 bad settings, 1 other failures
    """
    from .agent import Settings

    if sys.stdout is None:
        raise OSError("standard output is closed: there is nowhere to report to")
    settings = Settings(
        bind=bind,
        name=name,
        join=join or None,
        advertise=advertise,
        metadata=_metadata(metadata or []),
        config=_config(
            preset,
            cluster=cluster,
            probe_interval=probe_interval,
            stall_tolerance=stall_tolerance,
            max_broadcast=max_broadcast,
        ),
        json=format is Format.JSON,
        lifeline=lifeline,
    )
    logging.basicConfig(level=log_level.upper(), format="swim: %(levelname)s: %(message)s", stream=sys.stderr)
    return _run_agent(settings, backend)


@app.command(short_help="Watch a small cluster on this machine at work.")
def demo(
    count: Annotated[int, Option("-n", min=3, max=20, metavar="COUNT", help="How many agents, 3 to 20.")] = 5,
    format: Annotated[Format, Option(help="What is printed.")] = Format.TEXT,
) -> int:
    """Watch a cluster on this machine: agents join, talk, stall, are killed, leave and return.

    \b
    Example:  swim demo -n 7
    Status:   0 if everything held that must hold, 1 if something did not,
              130 Ctrl-C; no process is left behind in any case
    """
    from .demo import run_demo

    return run_demo(count, json=format is Format.JSON)


def _run_agent(settings: "Settings", backend: Backend) -> int:
    import anyio

    from .agent import run_agent

    import_module(backend.value)  # anyio would only say that there is no such backend
    return anyio.run(run_agent, settings, backend=backend.value)


def _config(preset: Preset | None, **overrides: Any) -> Config:
    """The environment's settings, those of the command line over them."""
    given = {field: value for field, value in overrides.items() if value is not None}
    if preset is None:
        return Config.from_env(**given)
    try:
        return Config.from_env({**os.environ, "SWIM_PRESET": preset.value}, **given)
    except ConfigError as error:
        raise ConfigError(str(error).replace("SWIM_PRESET", f"--preset {preset.value}")) from None


def _metadata(pairs: list[str]) -> dict[str, str]:
    metadata = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise ConfigError(f"--metadata takes KEY=VALUE, not {pair!r}")
        metadata[key] = value
    return metadata


def _complain(message: str, status: int) -> int:
    print(f"swim: {' '.join(message.split())}", file=sys.stderr)
    return status
