"""What each run of each member has broadcast, as seen by this node, and for how long that is remembered."""

from collections.abc import Iterator

import msgspec

from swim_core.address import unpack
from swim_core.events import Origin
from swim_core.native.context import NodeContext
from swim_core.native.table.entry import Change, Entry

from .window import Window

__all__ = ["Stream", "Streams"]

OLD_RUN = 60.0  # seconds for which the window of an older run is kept
# A forgotten member may come back while others still retain its broadcasts; and a member that got one by repair, just
# before the others dropped it, retains it anew. So a window outlives its member by that many times `retain_broadcasts`.
OUTLIVES = 10
FAR = 1 << 20  # above the highest known number: a million broadcasts that this node never heard of


class Stream(msgspec.Struct):
    """What one run of one member has broadcast, as seen by this node.

    Attributes:
        run: its short id.
        origin: its name, epoch and address.
        window: which numbers have come.
        teller: the member that last showed that a broadcast is missing, and has it.
        due: when to ask for what is missing; None while nothing is.
        missing: how many were missing when it was last asked for.
        patient_until: until when to wait for an answer.
        tries: how often was asked since the last progress.
        asked: short ids of the members asked.
        ended: when a newer run took over; None while this is the latest.
        far: a number far above the highest known, told by another member than the origin.
        far_source: short id of the run that told it.
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
        """Whether there may be a broadcast with that number, as ``source`` says.

        After one forged number near the top, everything that the origin says later would count as seen. So a number far
        above the highest known is taken only from the origin itself, or when a second member tells of one about as
        high: members that meet a run with millions of broadcasts hear of them from all sides.
        """
        if number - self.window.known <= FAR or source == self.run:
            return True
        told = self.far if self.far_source != source else 0
        if told and number - min(told, number) <= FAR:
            return True
        self.far, self.far_source = number, source
        return False

    def begins_at(self, number: int) -> bool:
        """Whether this is the first news of a run that has already said much, which this node did not miss."""
        return not self.window.known and number > FAR

    def begin_anew(self) -> None:
        """Forget who was asked."""
        self.tries = 0
        self.asked.clear()


class Streams:
    """The streams of known members, of one older run of each, and for a while of forgotten members."""

    def __init__(self, context: NodeContext) -> None:
        self._table = context.table
        self._most = context.config.max_members
        self._outlives = OUTLIVES * context.config.retain_broadcasts
        self._streams: dict[int, Stream] = {}
        self._older: dict[str, int] = {}  # the one older run of each name whose stream is kept
        self._forgotten: dict[int, tuple[float, Stream]] = {}  # by run, and since when; the longest first
        self.any_ended = False
        """Whether there may be streams to drop. A plain attribute, since every round asks."""

    def get(self, run: int) -> Stream | None:
        """The stream of a run, if anything was heard of it."""
        return self._streams.get(run)

    def of(self, run: int) -> Stream | None:
        """The stream of a run whose claim is or was known; None if it is not known yet, and for this node's own run."""
        stream = self._streams.get(run)
        if stream is None:
            entry = self._table.by_id(run)
            if entry is not None and entry.name != self._table.local_name:
                _, stream = self._forgotten.pop(run, (0.0, None))
                stream = self._streams[run] = stream or Stream(run, entry.origin)
        return stream

    def live(self) -> Iterator[Stream]:
        """The streams of the present runs of live members."""
        for run, stream in self._streams.items():
            entry = self._table.by_id(run)
            if entry is not None and entry.live:
                yield stream

    def end(self, change: Change, now: float) -> None:
        """Note that a newer run took over: the previous run's window is kept for a while, an older one's no longer.

        The window is kept even if nothing was heard of that run: its last broadcasts may come by way of others.
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
        """Note that a member was forgotten, which may be heard of again."""
        for run in (self._older.pop(entry.name, 0), entry.short_id):
            stream = self._streams.pop(run, None)
            if stream is not None:
                self._forgotten[run] = (now, stream)
                self.any_ended = True
        while len(self._forgotten) > self._most:
            del self._forgotten[next(iter(self._forgotten))]

    def expire(self, now: float) -> None:
        """Drop what has been kept for long enough."""
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
