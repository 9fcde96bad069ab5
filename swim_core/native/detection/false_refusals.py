"""Members of which kernels said that nobody listens there, and that spoke nevertheless.

What kernels report has no seal. Whoever reads a path can forge it: an ICMP message that quotes a ping, and a reset in
answer to a connection. A live member answers the ping as well, but a vote that comes just before its answer would be
enough for a verdict. So such members are remembered, and for a while refusals tell less about them: after the first
time they must last for a while in which the member is silent (`KernelFindings`), and later they begin no watch, so that
forged ones cause no traffic either.
"""

import msgspec

__all__ = ["FalseRefusals"]

OFTEN = 2  # times: once may be the last word of a process that ended, overtaken on its way by the refusal
DOUBTED = 600.0  # seconds after the last time
MAX_RUNS = 4_096


class _Refuted(msgspec.Struct):
    times: int
    at: float


class FalseRefusals:
    """Knows how often each run spoke after it was refused."""

    def __init__(self) -> None:
        self._refuted: dict[int, _Refuted] = {}

    def refuted(self, short_id: int, now: float) -> None:
        """Note that a run spoke after a refusal, or after a verdict that rested on refusals."""
        known = self._refuted.pop(short_id, None)
        self._refuted[short_id] = _Refuted(1 if known is None else known.times + 1, now)
        if len(self._refuted) > MAX_RUNS:
            del self._refuted[next(iter(self._refuted))]

    def times(self, short_id: int, now: float) -> int:
        """How often lately."""
        known = self._refuted.get(short_id)
        return known.times if known is not None and now - known.at <= DOUBTED else 0
