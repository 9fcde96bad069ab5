"""The options of `swim keygen` and `swim keys`, built with typer. Their code is imported when they run."""

from typing import Annotated

import typer
from typer import Argument, Option

from ..tools.options import KeyFile, use_key_file

__all__ = ["add_keys"]

File = Annotated[str, Argument(metavar="FILE", show_default=False, help="The key file.")]
Cluster = Annotated[str | None, Option(metavar="LABEL", help="The cluster's label, if it has one [SWIM_CLUSTER].")]


def add_keys(app: typer.Typer) -> None:
    """Add `keygen` and `keys`."""
    app.command(short_help="Make a key for a cluster; swim keys looks after it.")(keygen)
    keys = typer.Typer(no_args_is_help=True)
    keys.callback()(look_after)
    keys.command("list", short_help="Print the ids of the keys.")(list_keys)
    keys.command("add", short_help="Put a new key first.")(add)
    keys.command("drop", short_help="Remove a key.")(drop)
    keys.command("password", short_help="Print the password of agents' pages.")(password)
    keys.command("reader", short_help="Print a key that can only ask members.")(reader)
    keys.command("status", short_help="Show which keys the members hold.")(status)
    app.add_typer(keys, name="keys", hidden=True)  # the help of `keygen` mentions it


def look_after() -> None:
    """List, add and drop the keys in a file. A rotation adds one, and later drops the old one.

    \b
    Example:  swim keys add swim.key
    """


def keygen(file: File, cluster: Cluster = None) -> int:
    """Make a key file for all members of a cluster, and print the id of the key.

    \b
    Example:  swim keygen swim.key        then copy it to every host, and there
              swim agent --key-file swim.key --bind 0.0.0.0:7946 ...
    FILE:     must not exist; "-" prints the key itself
    Status:   0 success, 1 if the file can't be written, 2 bad options
    """
    from .files import run_keygen

    return run_keygen(file, cluster)


def list_keys(file: File, cluster: Cluster = None) -> int:
    """Print the ids of the keys in a file, the preferred one first. The keys themselves are not shown."""
    from .files import run_list

    return run_list(file, cluster)


def add(file: File, cluster: Cluster = None) -> int:
    """Put a new key first in a file: the first step of a rotation, once for all hosts.

    \b
    Then:     copy the file to every host, at any pace; members take it over by
              themselves. When all prefer the new key, drop the old one (swim
              keys drop), and copy the file again.
    """
    from .files import run_add

    return run_add(file, cluster)


def drop(
    file: File,
    identifier: Annotated[str, Argument(metavar="ID", show_default=False, help="Of the key, as `list` prints it.")],
    cluster: Cluster = None,
) -> int:
    """Remove a key from a file: the last step of a rotation. What it sealed can no longer be opened."""
    from .files import run_drop

    return run_drop(file, identifier, cluster)


def status(
    join: Annotated[
        str | None, Option(metavar="HOST:PORT", help="A member to begin with [SWIM_JOIN, 127.0.0.1:7946].")
    ] = None,
    cluster: Cluster = None,
    key_file: KeyFile = None,
) -> int:
    """Ask every member which keys it holds, the preferred one first.

    \b
    Example:  swim keys status --join 127.0.0.1:7946
    Status:   0 if all answer and prefer the same key, 1 if not, 2 bad options
    """
    from .status import run_status

    use_key_file(key_file)
    return run_status(join, cluster)


def password(file: File, cluster: Cluster = None) -> int:
    """Print the password that a browser needs for an agent's pages (swim agent --http)."""
    from .files import run_password

    return run_password(file, cluster)


def reader(file: File, cluster: Cluster = None) -> int:
    """Print a key with which one can ask the members of one cluster, and do nothing else."""
    from .files import run_reader

    return run_reader(file, cluster)
