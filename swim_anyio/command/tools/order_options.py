"""The options of the tools that have a member do something, built with typer. Their code is imported when it runs."""

from typing import Annotated

import typer
from typer import Argument, Option

from ..choices import Format
from .options import Cluster, Join, KeyFile, Output, complete_names, use_key_file

__all__ = ["add_orders"]

Member = Annotated[
    str,
    Argument(metavar="NAME", show_default=False, help="The other member.", autocompletion=complete_names),
]

Text = Annotated[str, Argument(metavar="TEXT", show_default=False, help="The message.")]


def add_orders(app: typer.Typer) -> None:
    """Add the tools that have a member do something."""
    app.command(short_help="Broadcast a message through a running member.")(broadcast)
    app.command("join", short_help="Give a running member more seeds.")(join_seeds)
    app.command(short_help="Have a member ping another one.")(ping)
    app.command(short_help="Have a member send another one a message.")(send)
    app.command(short_help="Remove a dead member everywhere.")(remove)
    app.command(short_help="Ask a member to leave.")(leave)


def broadcast(
    text: Text,
    join: Join = None,
    cluster: Cluster = None,
    key_file: KeyFile = None,
    format: Output = Format.TEXT,
) -> int:
    """Broadcast a message through a running member, in that member's name.

    \b
    Example:  swim broadcast "deploy 42 begins" --join 127.0.0.1:7946
    Status:   0 success, 1 refused or no answer within two seconds,
              2 bad options
    """
    from .broadcast import run_broadcast

    use_key_file(key_file)
    return run_broadcast(join, cluster, text, json=format is Format.JSON)


def join_seeds(
    seeds: Annotated[
        list[str], Argument(metavar="ADDR..", show_default=False, help="HOST:PORT of members; the host may be a name.")
    ],
    join: Join = None,
    cluster: Cluster = None,
    key_file: KeyFile = None,
    format: Output = Format.TEXT,
) -> int:
    """Give a running member more seeds to ask, in addition to those it has.

    \b
    Example:  swim join 192.0.2.7:7946 --join 127.0.0.1:7946
    Lasts:    until the member ends; names are resolved here and only once
    Status:   0 success, 1 refused or no answer within two seconds,
              2 bad options
    """
    from .join import run_join

    use_key_file(key_file)
    return run_join(join, cluster, seeds, json=format is Format.JSON)


def ping(
    name: Member,
    count: Annotated[int, Option("-c", "--count", min=1, metavar="COUNT", help="How many pings, one a second.")] = 1,
    join: Join = None,
    cluster: Cluster = None,
    key_file: KeyFile = None,
    format: Output = Format.TEXT,
) -> int:
    """Have a running member ping another one, out of turn.

    \b
    Example:  swim ping n2 --join 127.0.0.1:7946
    Status:   0 if all pings were answered, 1 if one was not, the request was
              refused or had no answer within two seconds, 2 bad options
    """
    from .ping import run_ping

    use_key_file(key_file)
    return run_ping(join, cluster, name, count, json=format is Format.JSON)


def send(
    name: Member,
    text: Text,
    join: Join = None,
    cluster: Cluster = None,
    key_file: KeyFile = None,
    format: Output = Format.TEXT,
) -> int:
    """Have a running member send a message to another one, in its own name. It may get lost.

    \b
    Example:  swim send n2 "reload" --join 127.0.0.1:7946
    Status:   0 success, 1 refused or no answer within two seconds,
              2 bad options
    """
    from .orders import run_send

    use_key_file(key_file)
    return run_send(join, cluster, name, text, json=format is Format.JSON)


def remove(
    name: Member, join: Join = None, cluster: Cluster = None, key_file: KeyFile = None, format: Output = Format.TEXT
) -> int:
    """Remove a dead member everywhere: all see it as having left, and nobody looks for it any longer.

    \b
    Example:  swim remove n2 --join 127.0.0.1:7946
    Refused:  for live members; one that is alive after all comes back by itself
    Status:   0 success, 1 refused or no answer within two seconds,
              2 bad options
    """
    from .orders import run_remove

    use_key_file(key_file)
    return run_remove(join, cluster, name, json=format is Format.JSON)


def leave(join: Join = None, cluster: Cluster = None, key_file: KeyFile = None, format: Output = Format.TEXT) -> int:
    """Ask a running member to leave the cluster, and wait until it has. An agent then ends.

    \b
    Example:  swim leave --join 127.0.0.1:7946
    Programs: other than agents decide for themselves what to do (LeaveOrdered)
    Status:   0 it has left, 1 it refused, had not left after five seconds, or
              did not answer within two, 2 bad options
    """
    from .leave import run_leave

    use_key_file(key_file)
    return run_leave(join, cluster, json=format is Format.JSON)
