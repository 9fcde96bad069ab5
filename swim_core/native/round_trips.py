"""Round trips, and how long to wait for an ack."""

from itertools import islice

from swim_core.shared.samples import Samples

from .settings import Settings

__all__ = ["RoundTrips"]

ENOUGH = 8  # samples before the estimate is trusted
LATELY = 16  # samples that say how soon answers come now: while processes start together, they take ten times as long


class RoundTrips(Samples):
    """The last 256 round trips over all peers, in seconds.

    There is one estimate for all peers, since each pair meets only once in n rounds. It is generous, since a timeout
    that comes too soon costs about eight datagrams, and one that comes late costs no time at all: deadlines are counted
    from the sending of the probe (docs/protocol.md, section 3). A round trip over 0.5 T counts as 0.5 T: the other side
    stalled, and the sample would stretch every deadline here for the next 256 samples.
    """

    def __init__(self, config: Settings) -> None:
        super().__init__(most=config.max_probe_timeout)
        self._shortest, self._longest = config.min_probe_timeout, config.max_probe_timeout
        self._margin = config.verdict_margin

    @property
    def p99(self) -> float:
        """Seconds; 0 before there are enough samples."""
        count = len(self._sorted)
        return self._sorted[int(0.99 * (count - 1))] if count >= ENOUGH else 0.0

    @property
    def answer(self) -> float:
        """Seconds within which an answer usually comes: twice the median of the last 16; 0 before there are enough
        samples.

        It serves for questions that are repeated, or have long been unanswered, because stalls of members stretch p99
        to 0.5 T.
        """
        if len(self._samples) < ENOUGH:
            return 0.0
        lately = sorted(islice(reversed(self._samples), LATELY))
        return 2 * lately[len(lately) // 2]

    def answer_of(self, last: float | None) -> float:
        """Seconds within which a member answers whose last round trip that was; the probe timeout if nothing is known,
        and at most that.

        Twice its last or the usual one, whichever is longer: one that was short by chance must not count for all.
        Where neither is known, but there are a few samples, it is four times their median.
        """
        timeout, few = self.probe_timeout, 4 * (self.quantile(0.5) or 0.0)
        return min(max(2 * (last or 0.0), self.answer) or few or timeout, timeout)

    @property
    def probe_timeout(self) -> float:
        """Seconds to wait for an ack: 3 x p99, but between 0.2 and 0.5 T; 0.5 T before there are 8 samples."""
        if len(self._sorted) < ENOUGH:
            return self._longest
        return min(max(3 * self.p99, self._shortest), self._longest)

    @property
    def margin(self) -> float:
        """m in seconds: how much longer than S a verdict waits, so that an answer given at the last moment arrives."""
        return max(self.probe_timeout + max(2 * self.p99, 0.05), self._margin)
