"""Commands that ask once, print the answer and end."""

import os
import shutil
import time
from collections.abc import Sequence
from functools import partial
from typing import cast

import anyio

from swim_core import SwimError
from swim_core.native.wire.queries import Body, Spoken, What

from ..records import to_json
from .asking import ask, read_target
from .reading import HEADER, View, asked_record, read_reasons, read_view, standing_words
from .timeline import reasons_record, tell_reasons, unknown
from .writing import columns, for_people, write

__all__ = ["run_broadcast", "run_members", "run_why"]


def run_members(join: str | None, cluster: str | None, *, gone: bool, json: bool) -> int:
    """Print a member's view as a table; ``gone`` adds those that are dead or have left.

    Raises:
        ConfigError: if an option or a variable can't be used.
        NoAnswer: if nobody answers.
        OSError: if standard output can't take it.
    """
    view = read_view(_ask(join, cluster, What.EVERYONE if gone else What.MEMBERS))
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
    """What a table of members does not say."""
    teller = view.teller
    rest = f", and remembers {teller.gone} that are gone" if teller.gone else ""
    hint = " (--gone lists them)" if teller.gone and len(view.members) < teller.live + teller.gone else ""
    lines = [f"{teller.name} sees {teller.live} live{rest}{hint}."]
    return lines + [f"But {words}." for words in [standing_words(teller)] if words]


def run_why(join: str | None, cluster: str | None, name: str, *, json: bool) -> int:
    """Print why a member is held for what it is. Raises as `run_members`, and `SwimError` for an unknown name."""
    reasons = read_reasons(_ask(join, cluster, What.REASON, os.fsencode(name)))
    if reasons.seen is None:
        raise SwimError(unknown(reasons, name))
    width = shutil.get_terminal_size().columns if for_people() else None
    write(to_json(reasons_record(reasons)) if json else tell_reasons(reasons, width))
    return 0


def run_broadcast(join: str | None, cluster: str | None, text: str, *, json: bool) -> int:
    """Let a member broadcast a text. Raises as `run_members`, and `SwimError` if the member refuses."""
    spoken = cast(Spoken, _ask(join, cluster, What.BROADCAST, os.fsencode(text))[-1])
    if spoken.number is None:
        raise SwimError(f"{spoken.teller.name} does not broadcast it: {spoken.refusal}")
    if json:
        record = {"t": time.time(), "event": "broadcast", "asked": asked_record(spoken.teller)}
        write(to_json({**record, "number": spoken.number}))
    else:
        others = spoken.teller.live - 1
        write(f"{spoken.teller.name} tells {others} other member{'s' * (others != 1)}; its broadcast {spoken.number}.")
    return 0


def _ask(join: str | None, cluster: str | None, what: What, argument: bytes = b"") -> Sequence[Body]:
    target = read_target(join, cluster)
    return anyio.run(partial(ask, target, what, argument), backend="asyncio")
