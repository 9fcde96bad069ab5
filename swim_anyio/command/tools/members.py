"""`swim members`: one member's view as a table."""

from swim_anyio.command.records import to_json
from swim_core.native.wire.queries import What

from .asking import ask_once
from .reading import HEADER, View, asked_record, read_view, standing_words
from .writing import columns, for_people, write

__all__ = ["run_members"]


def run_members(join: str | None, cluster: str | None, *, gone: bool, json: bool) -> int:
    """Print a member's view as a table; ``gone`` adds members that are dead or have left.

    Raises:
        ConfigError: if an option or a variable is invalid.
        NoAnswer: if nobody answers.
        OSError: if standard output can't take it.
    """
    view = read_view(ask_once(join, cluster, What.EVERYONE if gone else What.MEMBERS))
    if json:
        members = [seen.record() for seen in view.members.values()]
        write(to_json({"t": view.t, "event": "members", "asked": asked_record(view.teller), "members": members}))
    elif for_people():
        from .drawing import print_view

        print_view(view, footer(view))
    else:
        write("\n".join([columns(HEADER, (seen.cells() for seen in view.members.values())), *footer(view)]))
    return 0


def footer(view: View) -> list[str]:
    """The lines below a table of members: how many there are, and whether to trust the view."""
    teller = view.teller
    gone = f", {teller.gone} gone" if teller.gone else ""
    hint = " (--gone lists them)" if teller.gone and len(view.members) < teller.live + teller.gone else ""
    lines = [f"{teller.name} sees {teller.live} live member{'s' * (teller.live != 1)}{gone}{hint}."]
    return lines + [f"Note: {words}." for words in [standing_words(teller)] if words]
