"""The last death that anybody who answers knows of, and why it was declared, as one tells who was there."""

import os

from swim_core import Rule, SwimError
from swim_core.native.wire.queries import EVER, What

from .asking import Target, ask
from .events import Event, Timeline, ask_timeline
from .reading import Reasons, read_reasons
from .survey import silence_words
from .writing import clock_time

__all__ = ["ask_latest", "last_death", "witness"]


async def ask_latest(target: Target) -> tuple[Reasons, list[str]]:
    """Ask all members what they remember, and then a witness of the last death for its reasons.

    Returns:
        The reasons, and the names of the members that didn't answer, which may know of a later death.

    Raises:
        NoAnswer: if the first one, or the witness, doesn't answer.
        SwimError: if nobody remembers a death, or the witness no longer knows why.
    """
    timeline = await ask_timeline(target, EVER)
    death = last_death(timeline)
    name = witness(death, timeline)
    if name != timeline.teller.name:
        target = Target((timeline.addresses[name],), target.zone, target.cluster, target.keys)
    reasons = read_reasons(await ask(target, What.REASON, os.fsencode(death.member)))
    if reasons.seen is None:
        when = clock_time(death.t, date=True)
        raise SwimError(f"{death.member} died last, at {when}, but {name} has forgotten it since")
    return reasons, timeline.silent


def last_death(timeline: Timeline) -> Event:
    """The death with the latest verdict.

    Raises:
        SwimError: if there is none.
    """
    deaths = [event for event in timeline.events if event.what == "dead"]
    if not deaths:
        who = timeline.answered[0] if len(timeline.answered) == 1 else f"none of {len(timeline.answered)} members"
        verb = "remembers no death" if len(timeline.answered) == 1 else "remembers a death"
        silence = f" ({silence_words(timeline.silent).rstrip('.')})" if timeline.silent else ""
        raise SwimError(f"{who} {verb}; give the name of a member{silence}")
    # Whom a member that was cut off counted as dead, all others included, is hardly ever what one asks about.
    return max(deaths, key=lambda event: (event.rule is not Rule.ISOLATED, event.t))


def witness(death: Event, timeline: Timeline) -> str:
    """Whom to ask about it: who declared it, else the member that was asked first, else anybody who knows of it."""
    knowing = [name for name in death.seen_by if name in timeline.addresses]
    return next((name for name in (death.accuser, timeline.teller.name) if name in knowing), knowing[0])
