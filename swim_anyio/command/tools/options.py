"""The options of the tools, built with typer. The code of a tool is imported when it runs."""

import os
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from ..choices import Format, MemberState
from ..experiments.units import read_duration

if TYPE_CHECKING:
    from .choosing import Choice

__all__ = ["Cluster", "Join", "KeyFile", "Output", "add_tools", "complete_names", "use_key_file"]

Join = Annotated[str | None, Option(metavar="HOST:PORT", help="The member to ask [SWIM_JOIN, 127.0.0.1:7946].")]
Cluster = Annotated[str | None, Option(metavar="LABEL", help="The cluster's label, if it has one [SWIM_CLUSTER].")]
KeyFile = Annotated[
    str | None, Option("--key-file", metavar="FILE", help="Keys of the cluster, or of readers [SWIM_KEY_FILE].")
]
Output = Annotated[Format, Option(help="Output for people or programs.")]


State = Annotated[
    list[MemberState] | None, Option(metavar="STATE", help="Only alive, suspect, dead or left; repeatable.")
]
Name = Annotated[list[str] | None, Option(metavar="PATTERN", help="Only such names, as in 'web-*'.")]
Where = Annotated[
    list[str] | None, Option(metavar="KEY=VALUE", help="Only with such metadata; the value may be a pattern.")
]


def add_tools(app: typer.Typer) -> None:
    """Add the tools that only ask."""
    app.command(short_help="List the members that a running member sees.")(members)
    app.command(short_help="Explain why a member is seen as dead, suspect or alive.")(why)
    app.command(short_help="Tell what happened in the cluster.")(events)
    app.command(short_help="Tell who is near whom.")(rtt)
    app.command(short_help="Tell which members don't hear each other.")(reachability)
    app.command(short_help="Print the statistics of a running member.")(info)
    app.command(short_help="Watch members and events live.")(watch)
    app.command(short_help="Serve a page of what members see.")(page)


def choose(states: list[MemberState] | None, names: list[str] | None, where: list[str] | None) -> "Choice":
    """The choice of members that options express. Raises `ConfigError`."""
    from swim_core import State

    from .choosing import read_choice

    return read_choice([State[state.name] for state in states or ()], names or (), where or ())


def complete_names(context: typer.Context, incomplete: str) -> list[str]:
    """For the shell: the names of members that begin like this; none if the member can't be asked."""
    from .naming import names_like

    use_key_file(context.params.get("key_file"))
    return names_like(context.params.get("join"), context.params.get("cluster"), incomplete)


def use_key_file(key_file: str | None) -> None:
    """Let the option take the place of the variables, for this command, which ends with its answer."""
    if key_file is not None:
        os.environ.pop("SWIM_KEY", None)
        os.environ["SWIM_KEY_FILE"] = key_file


def members(
    join: Join = None,
    gone: Annotated[bool, Option("--gone", help="Include members that are dead or have left.")] = False,
    state: State = None,
    name: Name = None,
    where: Where = None,
    cluster: Cluster = None,
    key_file: KeyFile = None,
    format: Output = Format.TEXT,
) -> int:
    """List the members that a running member sees. This doesn't join the cluster.

    \b
    Example:  swim members --where role=web --join 127.0.0.1:7946
    Columns:  age: time since the asked member learned this; round trip: of its
              latest answered ping ("-" if none was answered yet)
    Where:    run this on the member's own host, unless the member runs with
              --answer-tools anyone
    Status:   0 success, 1 no answer within two seconds, 2 bad options
    """
    from .members import run_members

    use_key_file(key_file)
    return run_members(join, cluster, choose(state, name, where), gone=gone, json=format is Format.JSON)


def why(
    name: Annotated[
        str | None,
        Argument(
            metavar="NAME",
            show_default=False,
            help="The member to explain [the one that died last].",
            autocompletion=complete_names,
        ),
    ] = None,
    join: Join = None,
    cluster: Cluster = None,
    key_file: KeyFile = None,
    format: Output = Format.TEXT,
) -> int:
    """Explain why a member is seen as dead, suspect or alive: who says so, and on what evidence.

    \b
    Example:  swim why n2 --join 127.0.0.1:7946
    Ask:      any member for the verdict, or the one that declared it for the
              whole story (the answer says which one that is); without a name
              all are asked
    Status:   0 success, 1 no answer within two seconds or no such member,
              2 bad options
    """
    from .why import run_why

    use_key_file(key_file)
    return run_why(join, cluster, name, json=format is Format.JSON)


def events(
    since: Annotated[
        float | None, Option(parser=read_duration, metavar="TIME", help="Only what is newer, as in 10m or 8h.")
    ] = None,
    join: Join = None,
    cluster: Cluster = None,
    key_file: KeyFile = None,
    format: Output = Format.TEXT,
) -> int:
    """List what happened in the cluster, as one timeline, from what its members remember.

    \b
    Example:  swim events --since 10m --join 127.0.0.1:7946
    Asks:     the member at --join, and all that it sees; those on other hosts
              answer if you have a key, or with --answer-tools anyone
    Holds:    the last 512 verdicts and 256 other changes of each member
    Status:   0 success, 1 no answer within two seconds, 2 bad options
    """
    from .events import run_events

    use_key_file(key_file)
    return run_events(join, cluster, since, json=format is Format.JSON)


def info(join: Join = None, cluster: Cluster = None, key_file: KeyFile = None, format: Output = Format.TEXT) -> int:
    """Print the statistics of a running member: how it is doing, and what it has sent and received.

    \b
    Example:  swim info --join 127.0.0.1:7946
    Status:   0 success, 1 no answer within two seconds, 2 bad options
    """
    from .info import run_info

    use_key_file(key_file)
    return run_info(join, cluster, json=format is Format.JSON)


def rtt(join: Join = None, cluster: Cluster = None, key_file: KeyFile = None, format: Output = Format.TEXT) -> int:
    """Show who is near whom, by the latest round trip from each member to each other one.

    \b
    Example:  swim rtt --join 127.0.0.1:7946
    Asks:     the member at --join, and all that it sees; those on other hosts
              answer if you have a key, or with --answer-tools anyone
    Status:   0 success, 1 no answer within two seconds, 2 bad options
    """
    from .rtt import run_rtt

    use_key_file(key_file)
    return run_rtt(join, cluster, json=format is Format.JSON)


def reachability(
    join: Join = None, cluster: Cluster = None, key_file: KeyFile = None, format: Output = Format.TEXT
) -> int:
    """Show which members don't hear each other: which paths are cut, and in which direction.

    \b
    Example:  swim reachability --join 127.0.0.1:7946
    Asks:     the member at --join, and all that it sees; those on other hosts
              answer if you have a key, or with --answer-tools anyone
    Status:   0 if no member is known not to hear another, 1 if one is or there
              is no answer within two seconds, 2 bad options
    """
    from .reachability import run_reachability

    use_key_file(key_file)
    return run_reachability(join, cluster, json=format is Format.JSON)


def watch(
    join: Join = None,
    state: State = None,
    name: Name = None,
    where: Where = None,
    cluster: Cluster = None,
    key_file: KeyFile = None,
    format: Output = Format.TEXT,
) -> int:
    """Watch what a running member sees: who is there, who joins, leaves, is suspected or dies.

    \b
    Example:  swim watch --join 127.0.0.1:7946
    Output:   a live table on a terminal, otherwise a line for each event;
              with --format json an object per line, as swim agent prints them
    Keys:     ? lists them; / shows only some members, Enter explains one, q
              ends
    Later:    if the member stops answering, another one is asked
    Status:   0 after the key q, 130 after Ctrl-C, 1 no answer within two
              seconds at the start, 2 bad options
    """
    from .watch import run_watch

    use_key_file(key_file)
    return run_watch(join, cluster, choose(state, name, where), json=format is Format.JSON)


def page(
    ask: Annotated[
        list[str] | None, Option(metavar="HOST:PORT", help="A member to ask [SWIM_JOIN, 127.0.0.1:7946]; repeatable.")
    ] = None,
    http: Annotated[str, Option(metavar="HOST:PORT", help="Serve it here.")] = "127.0.0.1:9465",
    cluster: Cluster = None,
    key_file: KeyFile = None,
) -> int:
    """Serve a page of what members see, of several side by side, with where they differ.

    \b
    Example:  swim page --ask 10.0.0.1:7946 --ask 10.0.0.2:7946
    Prints:   where a browser finds it, and the password for it if you ask with
              a key; without one, it answers this host only
    Status:   130 Ctrl-C, 1 if the address can't be bound, 2 bad options
    """
    from .page import run_page

    use_key_file(key_file)
    return run_page(ask or [], cluster, http)
