"""`swim members`: one member's view as a table."""

from swim_anyio.command.records import to_json
from swim_core.native.wire.queries import What

from .asking import ask_once
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
    whole = read_view(ask_once(join, cluster, What.EVERYONE if gone else What.MEMBERS))
    view = choice.of(whole)
    below = [*footer(whole), *([f"{len(view.members)} of {len(whole.members)} match."] if choice.any else [])]
    if json:
        members = [seen.record() for seen in view.members.values()]
        write(to_json({"t": view.t, "event": "members", "asked": asked_record(view.teller), "members": members}))
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
