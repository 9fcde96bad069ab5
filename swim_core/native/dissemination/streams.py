"""What each run of each member has broadcast, as seen here, and for how long that is remembered."""

from collections.abc import Iterator

import msgspec

from swim_core.address import unpack
from swim_core.events import Origin
from swim_core.native.context import NodeContext
from swim_core.native.table.entry import Change, Entry

from .window import Window

__all__ = ["Stream", "Streams"]

OLD_RUN = 60.0  # seconds for which the window of an older run is kept
# A forgotten member may come back while others still retain what it said; and whoever got that by repair, a little
# before they let go of it, retains it anew. So its window outlives it by that many times `retain_broadcasts`.
OUTLIVES = 10
FAR = 1 << 20  # above the highest known: a million broadcasts that nobody here heard of


class Stream(msgspec.Struct):
    """What one run of one member has broadcast, as seen here.

    Attributes:
        run: its short id.
        origin: its name, epoch and address.
        window: which numbers came.
        teller: the member that last showed that something is missing, and has it.
        due: when to ask for what is missing, None while nothing is.
        missing: how many were, when last asked.
        patient_until: how long an answer is waited for.
        tries: how often was asked since there was progress.
        asked: short ids of those who were.
        ended: when a newer run took over, None while it is the latest.
        far: a number far above the highest known that another than the origin told.
        far_source: short id of the run that did.
    """

    run: int
    origin: Origin
    window: Window = msgspec.field(default_factory=Window)
    teller: Entry | None = None
    due: float | None = None
    missing: int = 0
    patient_until: float = 0.0
    tries: int = 0
    asked: list[int] = msgspec.field(default_factory=list)
    ended: float | None = None
    far: int = 0
    far_source: int = 0

    def credible(self, number: int, source: int) -> bool:
        """Whether there may be a broadcast of that number, as ``source`` says.

        One forged number near the top would let all that the origin goes on to say count as seen. So what is far above
        the highest known is taken from the origin itself, or if a second member tells of one about as high: members
        that join a run of millions hear of them from all sides.
        """
        if number - self.window.known <= FAR or source == self.run:
            return True
        told = self.far if self.far_source != source else 0
        if told and number - min(told, number) <= FAR:
            return True
        self.far, self.far_source = number, source
        return False

    def begins_at(self, number: int) -> bool:
        """Whether this is the first that is heard of a run that has said much before: nobody missed that."""
        return not self.window.known and number > FAR

    def begin_anew(self) -> None:
        """Nobody was asked yet."""
        self.tries = 0
        self.asked.clear()


class Streams:
    """The streams of the members that are known, of one older run of each, and, for a while, of those forgotten."""

    def __init__(self, context: NodeContext) -> None:
        self._table = context.table
        self._most = context.config.max_members
        self._outlives = OUTLIVES * context.config.retain_broadcasts
        self._streams: dict[int, Stream] = {}
        self._older: dict[str, int] = {}  # by name, the one older run whose stream is kept
        self._forgotten: dict[int, tuple[float, Stream]] = {}  # by run, since when; the longest first
        self.any_ended = False
        """Whether there may be some to let go of: a plain attribute, asked in every round."""

    def get(self, run: int) -> Stream | None:
        """The stream of a run of which something was heard."""
        return self._streams.get(run)

    def of(self, run: int) -> Stream | None:
        """The stream of a run whose claim is or was known; None while it has not come, and for this node's own."""
        stream = self._streams.get(run)
        if stream is None:
            entry = self._table.by_id(run)
            if entry is not None and entry.name != self._table.local_name:
                _, stream = self._forgotten.pop(run, (0.0, None))
                stream = self._streams[run] = stream or Stream(run, entry.origin)
        return stream

    def live(self) -> Iterator[Stream]:
        """Those of the present runs of live members."""
        for run, stream in self._streams.items():
            entry = self._table.by_id(run)
            if entry is not None and entry.live:
                yield stream

    def end(self, change: Change, now: float) -> None:
        """A newer run took over: the window of that before it is kept for a while, that of an older one no longer.

        Also if nothing was heard of it: what it said last may come by way of others.
        """
        before, run = change.before, change.before_id
        if before is None or before.name == self._table.local_name:
            return
        if run not in self._streams:
            self._streams[run] = Stream(run, Origin(before.name, before.epoch, unpack(before.address)))
        self._streams.pop(self._older.get(before.name, 0), None)
        self._older[before.name] = run
        self.any_ended = True
        self._streams[run].ended = now

    def forget(self, entry: Entry, now: float) -> None:
        """A member was forgotten, and may be heard of again."""
        for run in (self._older.pop(entry.name, 0), entry.short_id):
            stream = self._streams.pop(run, None)
            if stream is not None:
                self._forgotten[run] = (now, stream)
                self.any_ended = True
        while len(self._forgotten) > self._most:
            del self._forgotten[next(iter(self._forgotten))]

    def expire(self, now: float) -> None:
        """Let go of what has been kept long enough."""
        for name, run in list(self._older.items()):
            stream = self._streams.get(run)
            if stream is None or stream.ended is None or now - stream.ended >= OLD_RUN:
                self._streams.pop(run, None)
                del self._older[name]
        for run, (since, _) in list(self._forgotten.items()):
            if now - since < self._outlives:
                break
            del self._forgotten[run]
        self.any_ended = bool(self._older or self._forgotten)
