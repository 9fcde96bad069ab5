"""The command line: its options and help, built with typer."""

from typing import Annotated, Any

import typer
from typer import Option
from typer.core import TyperCommand, TyperGroup

from .agent_options import AgentOptions
from .choices import AnswerTools, Backend, Discovery, Format, LogLevel, Preset, Protocol
from .experiments.options import add_experiments
from .experiments.units import read_duration
from .keys.options import add_keys
from .launch import launch_agent
from .tools.options import add_tools
from .tools.order_options import add_orders

__all__ = ["app"]


GROUPS = (
    (("agent", "demo"), "Run one member; watch a small cluster at work."),
    (("members", "watch"), "List the members that a running member sees."),
    (("why", "events", "page"), "Explain a verdict; list, or show, what happened."),
    (("rtt", "reachability"), "Show who is near whom, and who hears whom."),
    (("info", "ping"), "Show how a member is doing; have it ping another."),
    (("broadcast", "send"), "Send a message to all members, or to one."),
    (("join", "leave"), "Give a member more seeds; ask it to leave."),
    (("remove",), "Remove a dead member everywhere."),
    (("keygen", "keys"), "Make and manage the keys of a cluster."),
    (("simulate", "plan"), "Try out, or calculate, a cluster of any size."),
)
"""The commands in the order of the help."""


class _Terse(TyperGroup):
    """Leaves out the line about `--help`, so that the help fits one screen."""

    def get_help_option(self, ctx: Any) -> Any:
        return _hidden(super().get_help_option(ctx))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Several commands on a line, by purpose, since a line for each would not fit."""
        with formatter.section("Commands"):
            formatter.write_dl([(", ".join(names), what) for names, what in GROUPS])


def _hidden(option: Any) -> Any:
    if option is not None:
        option.hidden = True
    return option


app = typer.Typer(
    cls=_Terse,
    rich_markup_mode=None,  # plain help is denser, and needs no rich
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def swim(
    context: typer.Context,
    version: Annotated[bool, Option("--version", help="Print the version.")] = False,
) -> None:
    """SWIM group membership: see who is there and who is gone, and tell all.

    \b
    Try:  swim demo; or  swim agent --name n1  and in another terminal
          swim agent --name n2 --bind 127.0.0.1:0 --join 127.0.0.1:7946
    """
    if version:
        from importlib.metadata import version as version_of

        print(f"swim {version_of('swim-membership')}")
        raise typer.Exit()
    if context.invoked_subcommand is None:
        print(context.get_help())


class _Agent(TyperCommand):
    """Leaves out the line about `--help`, as `_Terse` does."""

    def get_help_option(self, ctx: Any) -> Any:
        return _hidden(super().get_help_option(ctx))


@app.command(short_help="Run one member of a cluster.", cls=_Agent)
def agent(
    bind: Annotated[
        str | None, Option(metavar="HOST:PORT", help="Listen here [SWIM_BIND]; port 0: any free port.")
    ] = None,
    join: Annotated[list[str] | None, Option(metavar="HOST:PORT", help="A member to join; repeatable.")] = None,
    name: Annotated[str | None, Option(metavar="NAME", help="Unique in the cluster.")] = None,
    advertise: Annotated[str | None, Option(metavar="HOST[:PORT]", help="Where others can reach it.")] = None,
    metadata: Annotated[list[str] | None, Option(metavar="KEY=VALUE", help="Tell all members; repeatable.")] = None,
    cluster: Annotated[str | None, Option(metavar="LABEL", help="Ignore members with another label.")] = None,
    discover: Annotated[Discovery | None, Option(help="Find members on this network, too.")] = None,
    protocol: Annotated[
        Protocol, Option(metavar="WHICH", show_default=False, help="native [default] or smudge.")
    ] = Protocol.NATIVE,
    preset: Annotated[Preset | None, Option(help="Settings for a kind of network [lan].")] = None,
    probe_interval: Annotated[
        float | None, Option(parser=read_duration, metavar="TIME", help="Probe each member once per TIME.")
    ] = None,
    stall_tolerance: Annotated[
        float | None, Option(parser=read_duration, metavar="TIME", help="How long a process may hang, as in 5s.")
    ] = None,
    max_broadcast: Annotated[int | None, Option(hidden=True)] = None,
    no_tripwires: Annotated[bool, Option("--no-tripwires", help="Use no TCP; crashes are found later.")] = False,
    answer_tools: Annotated[AnswerTools | None, Option(hidden=True)] = None,
    key_file: Annotated[str | None, Option(metavar="FILE", help="Seal datagrams with these keys.")] = None,
    accept_plain: Annotated[bool, Option("--accept-plain", hidden=True)] = False,
    insecure: Annotated[bool, Option("--insecure", hidden=True)] = False,
    backend: Annotated[Backend, Option(hidden=True)] = Backend.ASYNCIO,
    format: Annotated[Format, Option(help="Output for people or programs.")] = Format.TEXT,
    log_level: Annotated[LogLevel, Option(metavar="LEVEL", help="debug, info, warning, error.")] = LogLevel.WARNING,
    log_format: Annotated[Format, Option(hidden=True)] = Format.TEXT,
    peers: Annotated[str | None, Option(metavar="FILE", help="Remember members, and ask them at a restart.")] = None,
    http: Annotated[str | None, Option(metavar="HOST:PORT", help="Serve a page, /metrics and /healthz.")] = None,
    metrics: Annotated[str | None, Option(hidden=True)] = None,
    on: Annotated[
        tuple[str, str] | None, Option(metavar="EVENTS COMMAND", help="Run this, e.g. dead,left ./page.sh.")
    ] = None,
    lifeline: Annotated[int | None, Option(hidden=True)] = None,
) -> int:
    """\b
    Run one member. Type help to see which commands it takes.
    Example: swim agent --name n2 --bind 127.0.0.1:0 --join 127.0.0.1:7946
    """
    return launch_agent(AgentOptions(**locals()))  # every parameter is an option


@app.command(short_help="Watch a small cluster at work on this machine.")
def demo(
    count: Annotated[int, Option("-n", min=3, max=20, metavar="COUNT", help="How many agents, 3 to 20.")] = 5,
    sealed: Annotated[bool, Option("--sealed", help="With a key, which is rotated.")] = False,
    format: Annotated[Format, Option(help="Output for people or programs.")] = Format.TEXT,
) -> int:
    """Watch a cluster on this machine: agents join, talk, stall, get killed, leave and return.

    \b
    Example:  swim demo -n 7
    Status:   0 if everything went as it should, 1 if something did not,
              130 Ctrl-C; it never leaves a process behind
    """
    from .demo import run_demo

    return run_demo(count, json=format is Format.JSON, sealed=sealed)


add_tools(app)
add_orders(app)
add_keys(app)
add_experiments(app)
