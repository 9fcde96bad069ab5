"""A seal for observers of a sealed cluster. It opens whatever any member could open, any number of times."""

from collections.abc import Callable, Iterable

from swim_core.counters import DropReason
from swim_core.keys import Keys
from swim_core.native.sealing.ring import KeyRing
from swim_core.native.sealing.seal import Opened, Sealer

__all__ = ["Eavesdropper"]


class _Never:
    def read(self, now: float) -> int:
        return 0


class Eavesdropper(Sealer):
    """Opens sealed datagrams for any receiver. It remembers none of them, so none counts as a copy.

    Args:
        keys: of the cluster.
        label: of the cluster.
        runs: the short ids of possible receivers.
    """

    def __init__(self, keys: Keys, label: str, runs: Callable[[], Iterable[int]]) -> None:
        super().__init__(KeyRing(keys, label), _Never(), counter=0, most_runs=1, plain=True)
        self._receivers = runs

    def open(self, data: bytes, flags: int, now: float) -> tuple[Opened, bytes] | DropReason:
        """See `Seal`."""
        for run in self._receivers():
            self.be(run, 0.0)
            found = super().open(data, flags, now)
            if found is not DropReason.UNOPENED:
                return found
        return DropReason.UNOPENED
