"""trio's order of tasks, made a function of a seed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

__all__ = ["deterministic_scheduling"]


@contextmanager
def deterministic_scheduling(seed: str) -> Iterator[None]:
    """Have trio run tasks that are ready at once in an order that is drawn from ``seed``.

    trio shuffles them, so that programs don't come to depend on an order. It has no public switch for this; pytest-trio
    sets the same two for Hypothesis. If a later trio no longer has them, only exact replays of programs in which
    several tasks wake at once are lost.
    """
    internals: Any = sys.modules.get("trio._core._run")
    random = getattr(internals, "_r", None)
    if not isinstance(random, Random) or not hasattr(internals, "_ALLOW_DETERMINISTIC_SCHEDULING"):
        yield
        return
    state, allowed = random.getstate(), internals._ALLOW_DETERMINISTIC_SCHEDULING
    random.seed(seed)
    internals._ALLOW_DETERMINISTIC_SCHEDULING = True
    try:
        yield
    finally:
        random.setstate(state)
        internals._ALLOW_DETERMINISTIC_SCHEDULING = allowed
