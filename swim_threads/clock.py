"""The clock of every node that this adapter runs."""

import time
from collections.abc import Callable
from functools import partial

__all__ = ["clock"]

# This clock runs on while the machine is suspended, so the protocol sees a suspension as what it is, a pause of this
# node: pending probes are dropped, and cluster time is right at once. CLOCK_MONOTONIC stops, and the node would take
# its peers' hour for a moment.
_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", None)

clock: Callable[[], float] = time.monotonic if _BOOTTIME is None else partial(time.clock_gettime, _BOOTTIME)
"""Seconds on the clock of every node of this adapter."""
