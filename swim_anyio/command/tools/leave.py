"""`swim leave`: asks a running member to leave, and waits until it has."""

import time
from functools import partial

import anyio

from swim_core import SwimError
from swim_core.native.wire.answers import Standing
from swim_core.native.wire.queries import What

from ..records import to_json
from .asking import PATIENCE, NoAnswer, Target, ask, read_target
from .orders import obeyed
from .reading import asked_record
from .writing import write

__all__ = ["run_leave"]

LOOK = 0.12  # seconds between two checks; a member answers another host ten times a second
LONG_ENOUGH = 5.0  # seconds for a program to say goodbye, which itself takes 0.25


def run_leave(join: str | None, cluster: str | None, *, json: bool) -> int:
    """Ask a running member to leave; returns once it has.

    Raises:
        SwimError: if it refuses, or hasn't left in time; otherwise as `run_members`.
    """
    return anyio.run(partial(_run, read_target(join, cluster), json=json), backend="asyncio")


async def _run(target: Target, *, json: bool) -> int:
    done = obeyed((await ask(target, What.LEAVE))[-1])
    name = done.teller.name
    deadline = time.monotonic() + LONG_ENOUGH
    while not await _is_gone(target, name):
        if time.monotonic() > deadline:
            raise SwimError(f"{name} was asked to leave and has not left within {LONG_ENOUGH:g} s: its program decides")
        await anyio.sleep(LOOK)
    record = {"t": time.time(), "event": "leave", "asked": asked_record(done.teller)}
    write(to_json(record) if json else f"{name} has left.")
    return 0


async def _is_gone(target: Target, name: str) -> bool:
    """Whether the member says that it has left, or no longer answers."""
    try:
        teller = (await ask(target, What.KEYS, patience=PATIENCE / 2))[-1].teller
    except NoAnswer:
        return True
    return teller.standing is Standing.LEFT or teller.name != name
