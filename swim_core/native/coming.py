"""When this node came to its cluster, and which broadcasts it therefore does not miss."""

__all__ = ["Coming"]

SETTLING = 2.0  # seconds in which several of those that met a newcomer have told it what was broadcast lately


class Coming:
    """A newcomer misses nothing that was broadcast before it came, and has to find out what that was.

    What it hears of in its first two seconds counts as from before. After that, so does the first number that it hears
    of each run, until it has been through a sync with a member.

    Args:
        most: runs that may be remembered.

    Attributes:
        at: seconds; None for a node that came to nobody: others came to it, if anybody did.
        settled: whether this node has once completed a sync with another member or, if it came to nobody, held the same
            view. From then on it misses no broadcast.
    """

    __slots__ = ("_before", "_most", "at", "settled")

    def __init__(self, most: int) -> None:
        self.at: float | None = None
        self.settled = False
        self._most = most
        self._before: dict[int, int] = {}  # by short id; of those not met yet, it stays until they are heard

    def came(self, now: float) -> None:
        """Note that this node met a cluster that was there before it."""
        if self.at is None:
            self.at = now

    @property
    def newcomer(self) -> bool:
        """Whether this node came to an existing cluster and has not been told of it yet."""
        return self.at is not None and not self.settled

    def note(self, run: int, number: int, now: float) -> None:
        """Note the number of a run, by its short id, of which this node just heard."""
        if self.at is None or self.settled:
            return
        if run not in self._before and len(self._before) < self._most:
            self._before[run] = number
        elif run in self._before and now - self.at < SETTLING:
            self._before[run] = max(self._before[run], number)

    def before(self, run: int, number: int, now: float) -> int:
        """The number of a run's last broadcast that was made before this node came, for all that it can tell.

        Args:
            run: its short id.
            number: the number of which this node just heard.
            now: seconds.
        """
        if not self.newcomer:
            return self._before.pop(run, 0)  # of a run not met until now
        self.note(run, number, now)
        return self._before.get(run, number)
