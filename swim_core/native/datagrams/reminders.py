"""The numbers of broadcasts, which pings and acks carry for as long as somebody may have missed a broadcast."""

from msgspec import Raw

from swim_core.native.cluster_clock import ClusterClock
from swim_core.native.settings import Settings
from swim_core.native.wire.datagram import encode_item
from swim_core.native.wire.messages import Number

__all__ = ["Reminders"]

FEW = 4  # origins whose numbers ride on every ping and ack
MOST = 32  # in one datagram, of 12 to 15 bytes each: small enough for every path
TURNS = 2  # rounds, at least, over which the numbers of more than `FEW` origins are spread


class Reminders:
    """The highest number received from each origin that broadcast lately.

    A flood misses members that are cut off at the time, and nothing else shows that, since views agree. So pings and
    acks to live members say which broadcasts there are, for `Settings.remind_broadcasts` after an origin's last one.
    Each member meets one other in a round, and learns from it what it missed. If there are many origins, each round
    tells of a part of them; the round determines which part, so that meetings in successive rounds cover all parts.
    """

    def __init__(self, config: Settings, clock: ClusterClock) -> None:
        self._most = config.max_members
        self._lifetime = config.remind_broadcasts
        self._interval_ms = config.probe_interval * 1000.0
        self._clock = clock
        self._noted: dict[int, tuple[float, int]] = {}  # by run
        self.any = False
        """Whether there are any numbers. A plain attribute, since every outgoing datagram asks."""

    def note(self, run: int, highest: int, now: float) -> None:
        """Note that broadcasts of a run exist up to this number, which this node has received or made."""
        self._noted[run] = (now, highest)
        self.any = True
        if len(self._noted) > self._most:
            del self._noted[next(iter(self._noted))]

    def expire(self, now: float) -> None:
        """Drop numbers that have been told for long enough."""
        over = [run for run, (noted, _) in self._noted.items() if now - noted >= self._lifetime]
        for run in over:
            del self._noted[run]
        self.any = bool(self._noted)

    def choose(self, room: int, now: float, *, age: float = 0.0, besides: int | None = None) -> list[Raw]:
        """The encoded numbers for ``room`` bytes of a datagram in this round, the latest first.

        Args:
            room: bytes.
            now: seconds.
            age: seconds for which a number must have been known.
            besides: the run to leave out.
        """
        turns = 1 if len(self._noted) <= FEW else max(TURNS, -(-len(self._noted) // MOST))
        turn = int(self._clock.read(now) // self._interval_ms) % turns
        due = [
            (at, highest, run)
            for run, (at, highest) in self._noted.items()
            if run % turns == turn and at <= now - age and run != besides
        ]
        chosen: list[Raw] = []
        for _, highest, run in sorted(due, reverse=True):
            encoded = encode_item(Number(run, highest))
            room -= len(encoded)
            if room < 0:
                break
            chosen.append(encoded)
        return chosen
