"""The options of the tools, by typer. What a tool does is imported when it runs."""

from typing import Annotated

import typer
from typer import Argument, Option

from ..choices import Format

__all__ = ["add_tools"]

Join = Annotated[str | None, Option(metavar="HOST:PORT", help="The member to ask [SWIM_JOIN, 127.0.0.1:7946].")]
Cluster = Annotated[str | None, Option(metavar="LABEL", help="The cluster's label, if it has one [SWIM_CLUSTER].")]
Output = Annotated[Format, Option(help="For people or for programs.")]


def add_tools(app: typer.Typer) -> None:
    """Add `members`, `why`, `broadcast`, `join` and `watch`."""
    app.command(short_help="List the members that a member sees.")(members)
    app.command(short_help="Why a member is held dead, suspect or alive.")(why)
    app.command(short_help="Have a member tell all a text.")(broadcast)
    app.command("join", short_help="Have a member ask more seeds.")(join_seeds)
    app.command(short_help="Watch members and events, live.")(watch)


def members(
    join: Join = None,
    gone: Annotated[bool, Option("--gone", help="Also those that are dead or have left.")] = False,
    cluster: Cluster = None,
    format: Output = Format.TEXT,
) -> int:
    """List the members that a running member sees. The tool itself is no member.

    \b
    Example:  swim members --gone --join 127.0.0.1:7946
    Columns:  age: since the member asked learned this of that one; round trip:
              of the last ping that one answered it ("-": none yet)
    Answered: on the member's own host; elsewhere if it runs with --answer-tools
              anyone
    Status:   0 listed, 1 no answer within two seconds, 2 bad options
    """
    from .members import run_members

    return run_members(join, cluster, gone=gone, json=format is Format.JSON)


def why(
    name: Annotated[str, Argument(metavar="NAME", show_default=False, help="Of the member in question.")],
    join: Join = None,
    cluster: Cluster = None,
    format: Output = Format.TEXT,
) -> int:
    """Tell who judged a member, by which rule, and what was seen of it when.

    \b
    Example:  swim why n2 --join 127.0.0.1:7946
    Ask:      any member for the verdict; the one that gave it for all that led
              there (the answer says which that is)
    Status:   0 told, 1 no answer within two seconds or no such member,
              2 bad options
    """
    from .why import run_why

    return run_why(join, cluster, name, json=format is Format.JSON)


def broadcast(
    text: Annotated[str, Argument(metavar="TEXT", show_default=False, help="What to tell.")],
    join: Join = None,
    cluster: Cluster = None,
    format: Output = Format.TEXT,
) -> int:
    """Have a running member tell all others a text, in its own name.

    \b
    Example:  swim broadcast "deploy 42 begins" --join 127.0.0.1:7946
    Status:   0 it is told, 1 no answer within two seconds or refused,
              2 bad options
    """
    from .broadcast import run_broadcast

    return run_broadcast(join, cluster, text, json=format is Format.JSON)


def join_seeds(
    seeds: Annotated[
        list[str], Argument(metavar="ADDR..", show_default=False, help="HOST:PORT of members, addresses or names.")
    ],
    join: Join = None,
    cluster: Cluster = None,
    format: Output = Format.TEXT,
) -> int:
    """Have a running member ask more seeds to let it in, beside those it has.

    \b
    Example:  swim join 192.0.2.7:7946 --join 127.0.0.1:7946
    Until:    the member ends; names are resolved here, once
    Status:   0 it asks them, 1 no answer within two seconds or refused,
              2 bad options
    """
    from .join import run_join

    return run_join(join, cluster, seeds, json=format is Format.JSON)


def watch(join: Join = None, cluster: Cluster = None, format: Output = Format.TEXT) -> int:
    """Watch what a running member sees: who is there, who joins, leaves, is suspected or dies.

    \b
    Example:  swim watch --join 127.0.0.1:7946
    Output:   a live table on a terminal, a line for each event elsewhere;
              --format json: an object a line, like those of swim agent
    Status:   130 Ctrl-C, 1 no answer within two seconds at the start, 2 bad
              options; later on, a member that does not answer is waited for
    """
    from .watch import run_watch

    return run_watch(join, cluster, json=format is Format.JSON)
