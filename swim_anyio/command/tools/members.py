"""`swim members`: one member's view as a table."""

import os
from functools import partial

import anyio

from swim_anyio.command.records import to_json
from swim_core.address import is_loopback, unpack
from swim_core.embedding.arguments import read_insecure
from swim_core.native.wire.answers import Teller
from swim_core.native.wire.queries import What

from .asking import ask, read_target
from .choosing import Choice
from .reading import HEADER, View, asked_record, read_view, standing_words
from .writing import columns, for_people, write

__all__ = ["run_members"]


def run_members(join: str | None, cluster: str | None, choice: Choice, *, gone: bool, json: bool) -> int:
    """Print a member's view as a table; ``gone`` adds members that are dead or have left, as some choices do.

    Raises:
        ConfigError: if an option or a variable is invalid.
        NoAnswer: if nobody answers.
        OSError: if standard output can't take it.
    """
    gone = gone or choice.gone
    target = read_target(join, cluster)
    question = What.EVERYONE if gone else What.MEMBERS
    whole = read_view(anyio.run(partial(ask, target, question), backend="asyncio"))
    view, sealed = choice.of(whole), target.keys is not None
    below = [*footer(whole), *([f"{len(view.members)} of {len(whole.members)} match."] if choice.any else [])]
    if not sealed and not read_insecure(None, os.environ) and (words := exposed_words(whole.teller)):
        below.append(f"Note: {words}.")
    if json:
        members = [seen.record() for seen in view.members.values()]
        write(
            to_json(
                {
                    "t": view.t,
                    "event": "members",
                    "asked": asked_record(view.teller),
                    "sealed": sealed,
                    "members": members,
                }
            )
        )
    elif for_people():
        from .drawing import print_view

        print_view(view, below)
    else:
        write("\n".join([columns(HEADER, (seen.cells() for seen in view.members.values())), *below]))
    return 0


def footer(view: View) -> list[str]:
    """The lines below a table of members: how many there are, and whether to trust the view."""
    teller = view.teller
    gone = f", {teller.gone} gone" if teller.gone else ""
    hint = " (--gone lists them)" if teller.gone and len(view.members) < teller.live + teller.gone else ""
    lines = [f"{teller.name} sees {teller.live} live member{'s' * (teller.live != 1)}{gone}{hint}."]
    return lines + [f"Note: {words}." for words in [standing_words(teller)] if words]


def exposed_words(teller: Teller) -> str:
    """A reason to distrust all views of a cluster without keys; "" if nobody else reaches the one that answered."""
    if is_loopback(unpack(teller.address)):
        return ""
    return (
        f"the answer of {teller.name} is not sealed, so whoever reaches its port can make members up"
        " (swim keygen makes a key; SWIM_INSECURE=1 ends this note)"
    )
