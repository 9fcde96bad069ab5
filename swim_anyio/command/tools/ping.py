"""`swim ping`: has a running member ping another one, out of turn."""

import os
import time
from functools import partial
from typing import cast

import anyio

from swim_core import SwimError
from swim_core.native.wire.answers import ReasonPage
from swim_core.native.wire.queries import What

from ..records import Record, to_json
from ..text import printable
from .asking import PATIENCE, Target, ask, read_target
from .orders import obeyed
from .reading import Reasons, asked_record, read_reasons
from .why import unknown
from .writing import span, write

__all__ = ["run_ping"]

LOOK = 0.12  # seconds between two looks at what came of it; a member answers another host ten times a second
PACE = 1.0  # seconds between two pings


def run_ping(join: str | None, cluster: str | None, name: str, count: int, *, json: bool) -> int:
    """Print how long each of ``count`` pings took; returns 0 if all were answered, otherwise 1.

    Raises:
        SwimError: if the asked member doesn't know the name, or refuses; otherwise as `run_members`.
    """
    return anyio.run(partial(_run, read_target(join, cluster), name, count, json=json), backend="asyncio")


async def _run(target: Target, name: str, count: int, *, json: bool) -> int:
    lost = 0
    for number in range(count):
        if number:
            await anyio.sleep(PACE)
        reasons = await _ping(target, name)
        round_trip = None if reasons.seen is None or reasons.seen.row.unanswered else reasons.seen.round_trip
        lost += round_trip is None
        write(to_json(_record(reasons, name, round_trip)) if json else printable(_words(reasons, name, round_trip)))
    return int(lost > 0)


async def _ping(target: Target, name: str) -> Reasons:
    """Order one ping, and look until it is answered, or for `PATIENCE`."""
    done = (await ask(target, What.PING, os.fsencode(name)))[-1]
    deadline = time.monotonic() + PATIENCE
    while True:
        reasons = read_reasons(cast("list[ReasonPage]", await ask(target, What.REASON, os.fsencode(name))))
        if reasons.seen is None:
            raise SwimError(unknown(reasons, name))
        obeyed(done)
        if not reasons.seen.row.unanswered or time.monotonic() > deadline:
            return reasons
        await anyio.sleep(LOOK)


def _record(reasons: Reasons, name: str, round_trip: float | None) -> Record:
    """For programs: ``round_trip`` in seconds, null if no answer came."""
    asked = asked_record(reasons.teller)
    return {"t": reasons.t, "event": "ping", "asked": asked, "member": name, "round_trip": round_trip}


def _words(reasons: Reasons, name: str, round_trip: float | None) -> str:
    address = "" if reasons.seen is None else f" ({reasons.seen.member.address})"
    outcome = f"no answer within {PATIENCE:g} s" if round_trip is None else f"answered in {span(round_trip)}"
    return f"{reasons.teller.name} pings {name}{address}: {outcome}"
