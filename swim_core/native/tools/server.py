"""Answers tools that aren't members: who is there, why, what happened lately, "broadcast this for me", "join these".

The effect of an ASK is bounded: it is answered on this host only unless `Config.answer_tools` says otherwise, no answer
is longer than its question, other hosts get a page per 0.1 s, and an ASK never makes its sender a member, proves life,
or moves the clock.
"""

from collections.abc import Iterable

import msgspec
from msgspec import Raw, msgpack
from msgspec.structs import replace

from swim_core.address import is_loopback, pack
from swim_core.counters import DropReason
from swim_core.events import Observation, Past
from swim_core.member import known
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.sender import Sender
from swim_core.native.detection.evidence_log import EvidenceLog
from swim_core.native.gauges import Gauges, unlike
from swim_core.native.table.entry import Entry
from swim_core.native.wire.answers import (
    EventsPage,
    Figure,
    FiguresPage,
    Happened,
    KeysPage,
    MembersPage,
    Note,
    ReasonPage,
    Row,
    Teller,
)
from swim_core.native.wire.claim import MAX_INCARNATION, MAX_MILLIS
from swim_core.native.wire.queries import ASK_SIZE, PAGE_SPACING, Ask, Tell, What, unpack_age
from swim_core.shared.journal import Journal
from swim_core.shared.rate_limit import RateLimit

from .introduction import Introduction
from .orders import ORDERS, Orders

__all__ = ["ToolServer"]

TELL_SIZE = 19  # bytes of a TELL but its body
LIST_SIZE = 2  # bytes by which the header of a long list exceeds an empty one's
MAX_POSITION = (1 << 64) - 1
MAX_HOSTS = 4_096  # hosts remembered, so that none gets its next page too soon
REMOTE_PAGES = 100  # a second for all other hosts together: each costs as much as ten pings
REMOTE_SPEECH = 10  # orders a second for all other hosts together, so that forged sources can't cause floods
MAX_DETAIL = 300  # bytes of a note's text, so that a note always fits
MAX_COUNT = MAX_INCARNATION  # the most that a field of 32 bits holds

_encode = msgpack.encode


class ToolServer:
    """Answers ASK."""

    def __init__(
        self,
        context: NodeContext,
        introduction: Introduction,
        gauges: Gauges,
        evidence_log: EvidenceLog,
        journal: Journal,
        orders: Orders,
    ) -> None:
        self._policy = context.config.answer_tools
        self._table = context.table
        self._clock = context.clock
        self._sealer = context.sealer
        self._outbox = context.outbox
        self._overhead = context.codec.overhead
        self._counters = context.counters
        self._teller = introduction.at
        self._gauges = gauges
        self._evidence_log = evidence_log
        self._journal = journal
        self._orders = orders
        self._last: dict[str, float] = {}
        self._remote_pages = RateLimit(REMOTE_PAGES)
        self._remote_speech = RateLimit(REMOTE_SPEECH)

    def asked(self, ask: Ask, sender: Sender, now: float) -> None:
        """Answer a tool, if it may ask."""
        refusal = self._refusal(ask, sender, now)
        if refusal is not None:
            self._counters.drop(refusal)
            return
        assert sender.budget is not None  # `Inbox` never takes a tool for a member
        room = min(sender.budget, ASK_SIZE) - self._overhead - TELL_SIZE
        answer = self._answer(ask, sender, room, now)
        if answer is None or not self._outbox.reply(Tell(ask.nonce, *answer), sender, now):
            self._counters.drop(DropReason.RATE_LIMITED)  # the question is too short for any answer

    def _refusal(self, ask: Ask, sender: Sender, now: float) -> DropReason | None:
        """Why a question is not answered; None if it is."""
        source = sender.address
        if self._policy == "nobody":
            return DropReason.NOT_ALLOWED
        if not known(ask.what):
            return DropReason.UNKNOWN_KIND
        if is_loopback(source):
            return None
        orders = ask.what in ORDERS
        if self._policy == "loopback" or (sender.seal is None and (orders or self._policy == "holders")):
            return DropReason.NOT_ALLOWED
        if now - self._last.get(source.host, float("-inf")) < PAGE_SPACING:
            return DropReason.RATE_LIMITED
        self._last.pop(source.host, None)
        self._last[source.host] = now
        if len(self._last) > MAX_HOSTS:
            del self._last[next(iter(self._last))]
        if not self._remote_pages.allow(now) or (orders and not self._remote_speech.allow(now)):
            return DropReason.RATE_LIMITED
        return None

    def _answer(self, ask: Ask, sender: Sender, room: int, now: float) -> tuple[int | None, bytes] | None:
        """Where the next page begins, and this page; None if there is no room for one."""
        if ask.what in ORDERS:
            return self._orders.obey(ask, sender, now)
        if ask.what is What.KEYS:
            return None, _encode(self._keys(now))
        if ask.what is What.REASON:
            return self._reason(ask, room, now)
        if ask.what is What.EVENTS:
            return self._events(ask, room, now)
        if ask.what is What.FIGURES:
            return self._all_figures(ask, room, now)
        return self._members(ask, room, now)

    def _keys(self, now: float) -> KeysPage:
        sealer = self._sealer
        if sealer is None:
            return KeysPage(self._teller(now), [], True, 0, 0)
        held = [key.id for key in sealer.ring.ordered]
        return KeysPage(self._teller(now), held, sealer.plain, *unlike(sealer, self._table))

    # ------------------------------------------------------------------ members

    def _members(self, ask: Ask, room: int, now: float) -> tuple[int | None, bytes] | None:
        """Members by phase, a position that doesn't change when others come or go between two pages."""
        table = self._table
        ring = table.topology.order if ask.what is What.MEMBERS else table.view_digest.everyone
        teller = self._teller(now)
        start = ring.index(ask.cursor)
        rows = _fit(room - _size(MembersPage(teller, [])), (self._row(ring[at], now) for at in range(start, len(ring))))
        end = start + len(rows)
        body = _encode(_Members(teller, rows))
        if end == len(ring):
            return None, body
        if not rows:
            return None
        next_ = max(ring[end].phase, ask.cursor + 1)  # names with the same phase don't hold up the rest
        return (next_ if next_ <= MAX_POSITION else None), body

    def _row(self, entry: Entry, now: float) -> Row:
        contact, verdict = entry.contact(now), entry.claim.verdict
        accuser = None if verdict is None else self._table.by_id(verdict.accuser)
        return Row(
            entry.claim,
            _whole(contact.age, 1e3),
            None if contact.heard is None else _whole(contact.heard, 1e3),
            None if contact.round_trip is None else _whole(contact.round_trip, 1e6),
            min(contact.unanswered, MAX_COUNT),
            "" if verdict is None else self._evidence_log.name_of(verdict.accuser),
            None if accuser is None else pack(accuser.address),
            entry.last_metadata,
        )

    # ------------------------------------------------------------------ reasons

    def _reason(self, ask: Ask, room: int, now: float) -> tuple[int | None, bytes] | None:
        """The observations of a member, from number ``cursor`` on; numbers are never reused."""
        entry = self._table.get(ask.argument.decode(errors="replace"))
        teller = self._teller(now)
        if entry is None:
            return None, _encode(ReasonPage(teller, None, []))
        row = self._row(entry, now)
        if row.claim.metadata:
            row = replace(row, claim=replace(row.claim, metadata=b""))
        row = replace(row, last_metadata=None)
        start, observations = self._evidence_log.since(entry.name, ask.cursor)
        notes = _fit(room - _size(ReasonPage(teller, row, [])), (self._note(seen, now) for seen in observations))
        body = _encode(_Reason(teller, row, notes))
        if len(notes) == len(observations):
            return None, body
        return (start + len(notes), body) if notes else None

    def _note(self, seen: Observation, now: float) -> Note:
        detail = seen.detail.encode()[:MAX_DETAIL].decode(errors="ignore")
        at = self._cluster_time(seen.at, now)
        last = at if seen.last is None else self._cluster_time(seen.last, now)
        return Note(at, seen.observer, seen.what, detail, seen.count, last)

    def _cluster_time(self, at: float, now: float) -> int:
        return min(max(0, round(self._clock.exact(now) - (now - at) * 1e3)), MAX_MILLIS)

    # ------------------------------------------------------------------ statistics

    def _all_figures(self, ask: Ask, room: int, now: float) -> tuple[int | None, bytes] | None:
        """The statistics from the one on place ``cursor`` on; no histogram, which is for machines."""
        found = self._gauges.statistics().to_dict()
        figures = [Figure(name, value) for name, value in found.items() if name != "round_trips"][ask.cursor :]
        teller = self._teller(now)
        fitting = _fit(room - _size(FiguresPage(teller, [])), iter(figures))
        body = _encode(_Figures(teller, fitting))
        if len(fitting) == len(figures):
            return None, body
        return (ask.cursor + len(fitting), body) if fitting else None

    # ------------------------------------------------------------------ events

    def _events(self, ask: Ask, room: int, now: float) -> tuple[int | None, bytes] | None:
        """What happened, from number ``cursor`` on; numbers are never reused."""
        oldest = now - unpack_age(ask.argument) / 1e3
        teller = self._teller(now)
        past = list(self._journal.since(ask.cursor, oldest))
        events = _fit(room - _size(EventsPage(teller, [])), (self._happened(one, now) for one in past))
        body = _encode(_Events(teller, events))
        if len(events) == len(past):
            return None, body
        return (past[len(events)].number, body) if events else None

    def _happened(self, past: Past, now: float) -> Happened:
        address = None if past.address is None else pack(past.address)
        return Happened(
            self._cluster_time(past.at, now),
            past.what,
            past.member,
            address,
            past.epoch,
            past.incarnation,
            past.rule,
            past.accuser,
            past.cluster_time,
        )


class _Members(msgspec.Struct, array_like=True):
    """A `MembersPage` of encoded rows."""

    teller: Teller
    rows: list[Raw]


class _Reason(msgspec.Struct, array_like=True):
    """A `ReasonPage` of encoded notes."""

    teller: Teller
    row: Row
    notes: list[Raw]


class _Events(msgspec.Struct, array_like=True):
    """An `EventsPage` of encoded events."""

    teller: Teller
    events: list[Raw]


class _Figures(msgspec.Struct, array_like=True):
    """A `FiguresPage` of encoded figures."""

    teller: Teller
    figures: list[Raw]


def _size(page: MembersPage | ReasonPage | EventsPage | FiguresPage) -> int:
    """The bytes of a page without the items of its list."""
    return len(_encode(page)) + LIST_SIZE


def _fit(room: int, items: Iterable[Row | Note | Happened | Figure]) -> list[Raw]:
    """As many encoded items as there is room for; at most one too many is made."""
    chosen: list[Raw] = []
    for item in items:
        encoded = Raw(_encode(item))
        room -= len(encoded)
        if room < 0:
            break
        chosen.append(encoded)
    return chosen


def _whole(seconds: float, unit: float) -> int:
    return min(max(0, round(seconds * unit)), MAX_MILLIS)
