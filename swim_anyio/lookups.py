"""Waiting in an event loop for a name to be looked up in one of `swim_threads`' threads: the loop's own are left alone.

Those that `loop.getaddrinfo` takes are few, they are the application's, and asyncio waits for them at its end.
"""

import errno
from collections.abc import Collection

import anyio

from swim_core import Address
from swim_threads.lookups import ANY_FAMILY, LONGEST, LookUp, Outcome, look_ups

from .loops import Loop

__all__ = ["look_up"]


async def look_up(
    loop: Loop, host: str, port: int, families: Collection[int] = ANY_FAMILY, *, seconds: float = LONGEST
) -> tuple[Address, ...]:
    """The addresses of a name in ``families``, canonical, each once, in the resolver's order.

    Raises:
        OSError: if there are none, or none were found within ``seconds``, which are the loop's.
    """
    outcomes: list[Outcome] = [OSError(errno.ETIMEDOUT, f"no answer of a name server within {seconds:g} s")]
    answered = anyio.Event()

    def done(outcome: Outcome) -> None:
        outcomes.append(outcome)
        loop.post(answered.set)

    look_ups.ask(asked := LookUp(host, port, families, done))
    try:
        with anyio.move_on_after(seconds):
            await answered.wait()
    finally:
        look_ups.cancel(asked)
    outcome = outcomes[-1]
    if isinstance(outcome, OSError):
        raise outcome
    return outcome
