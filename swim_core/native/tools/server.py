"""Answers tools that are no members: the member list, the reason of a verdict, "broadcast this for me", "join these".

The effect of an ASK is bounded: it is answered on this host only unless `Config.answer_tools` says otherwise, no answer
is longer than its question, other hosts get a page per 0.1 s, and an ASK never makes its sender a member, proves life,
or moves the clock.
"""

from collections.abc import Iterable
from hashlib import blake2b

import msgspec
from msgspec import Raw, msgpack
from msgspec.structs import replace

from swim_core.address import Address, is_loopback, pack
from swim_core.errors import SwimError
from swim_core.events import Observation
from swim_core.member import known
from swim_core.native.claims.local_member import LocalMember
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.seal_check import unlike
from swim_core.native.datagrams.sender import Sender
from swim_core.native.detection.evidence_log import EvidenceLog
from swim_core.native.dissemination.broadcasts import Broadcasts
from swim_core.native.joining.joiner import Joiner
from swim_core.native.sealing.seal import Opened
from swim_core.native.table.entry import Entry
from swim_core.native.wire.claim import MAX_INCARNATION, MAX_MILLIS
from swim_core.native.wire.queries import (
    ASK_SIZE,
    PAGE_SPACING,
    Ask,
    Joined,
    KeysPage,
    MembersPage,
    Note,
    ReasonPage,
    Row,
    Spoken,
    Standing,
    Tell,
    Teller,
    What,
    unpack_addresses,
)
from swim_core.shared.local_health import LocalHealth
from swim_core.shared.rate_limit import RateLimit
from swim_core.statistics import DropReason

__all__ = ["ToolServer"]

TELL_SIZE = 19  # bytes of a TELL but its body
LIST_SIZE = 2  # bytes by which the header of a long list exceeds an empty one's
MAX_POSITION = (1 << 64) - 1
MAX_HOSTS = 4_096  # hosts remembered, so that none gets its next page too soon
REMOTE_SPEECH = (
    10  # broadcasts and joins a second for all other hosts together, so that forged sources can't cause floods
)
COOKIE_LIFE = 60.0  # seconds for which cookies are made with one key; the previous key stays valid for as long
MAX_SPOKEN = 256  # requests remembered, so that one that is repeated isn't broadcast again
MAX_DETAIL = 300  # bytes of a note's text, so that a note always fits
MAX_COUNT = MAX_INCARNATION  # the most that a field of 32 bits holds

_encode = msgpack.encode


class ToolServer:
    """Answers ASK."""

    def __init__(
        self,
        context: NodeContext,
        local: LocalMember,
        health: LocalHealth,
        evidence_log: EvidenceLog,
        broadcasts: Broadcasts,
        joiner: Joiner,
        secret: bytes,
    ) -> None:
        self._policy = context.config.answer_tools
        self._table = context.table
        self._clock = context.clock
        self._sealer = context.sealer
        self._outbox = context.outbox
        self._overhead = context.codec.overhead
        self._counters = context.counters
        self._local = local
        self._health = health
        self._evidence_log = evidence_log
        self._broadcasts = broadcasts
        self._joiner = joiner
        self._last: dict[str, float] = {}
        self._remote_speech = RateLimit(REMOTE_SPEECH)
        self._spoken: dict[tuple[Address, int], tuple[Spoken, float]] = {}
        self._secret = secret

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
        orders = ask.what in (What.BROADCAST, What.JOIN)
        if self._policy == "loopback" or (sender.seal is None and (orders or self._policy == "holders")):
            return DropReason.NOT_ALLOWED
        if now - self._last.get(source.host, float("-inf")) < PAGE_SPACING:
            return DropReason.RATE_LIMITED
        self._last.pop(source.host, None)
        self._last[source.host] = now
        if len(self._last) > MAX_HOSTS:
            del self._last[next(iter(self._last))]
        if orders and not self._remote_speech.allow(now):
            return DropReason.RATE_LIMITED
        return None

    def _answer(self, ask: Ask, sender: Sender, room: int, now: float) -> tuple[int | None, bytes] | None:
        """Where the next page begins, and this page; None if there is no room for one."""
        if ask.what in (What.BROADCAST, What.JOIN) and sender.seal is not None:
            return self._on_behalf_of_holder(ask, sender, sender.seal, now)
        if ask.what is What.BROADCAST:
            return None, _encode(self._speak(ask, sender, now))
        if ask.what is What.JOIN:
            return None, _encode(self._take_seeds(ask, now))
        if ask.what is What.KEYS:
            return None, _encode(self._keys(now))
        if ask.what is What.REASON:
            return self._reason(ask, room, now)
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

    # ------------------------------------------------------------------ broadcasts, and other orders

    def _on_behalf_of_holder(
        self, ask: Ask, sender: Sender, seal: Opened, now: float
    ) -> tuple[int | None, bytes] | None:
        """Do what a holder of a key asks for, in two steps: a sender that only replays recordings never has the cookie.

        The first answer gives the cookie as the place where the next page begins, so tools of any release ask again
        with it.
        """
        broadcast = ask.what is What.BROADCAST
        if seal.key.reader:
            words = "a reader's key can only ask"
            teller = self._teller(now)
            return None, _encode(Spoken(teller, None, words) if broadcast else Joined(teller, None, words))
        minute = int(now // COOKIE_LIFE)
        if ask.cursor not in (self._cookie(ask, sender.address, at) for at in (minute, minute - 1)):
            if ask.cursor:
                return None
            cookie, teller = self._cookie(ask, sender.address, minute), self._teller(now)
            return cookie, _encode(Spoken(teller, None) if broadcast else Joined(teller, None))
        return None, _encode(self._speak(ask, sender, now) if broadcast else self._take_seeds(ask, now))

    def _cookie(self, ask: Ask, source: Address, minute: int) -> int:
        data = minute.to_bytes(8, "big", signed=True) + bytes((ask.what,)) + pack(source) + ask.argument
        return int.from_bytes(blake2b(data, digest_size=8, key=self._secret, person=b"tool cookie").digest(), "big") | 1

    def _speak(self, ask: Ask, sender: Sender, now: float) -> Spoken:
        """Broadcast for the tool; a request that is repeated because its answer was lost is not broadcast again.

        With keys, requests are remembered for as long as their cookie is valid, and beyond `MAX_SPOKEN` new ones are
        refused. Otherwise a recording might be obeyed.
        """
        key = sender.address, ask.nonce
        spoken, _ = self._spoken.get(key, (None, now))
        if spoken is None:
            oldest = next(iter(self._spoken), None)
            if oldest is not None and len(self._spoken) == MAX_SPOKEN:
                if sender.seal is not None and now - self._spoken[oldest][1] < 2 * COOKIE_LIFE:
                    return Spoken(self._teller(now), None, "too much was broadcast for tools in the last two minutes")
                del self._spoken[oldest]
            spoken = self._try_to_speak(ask.argument, now)
            self._spoken[key] = spoken, now
        return spoken

    def _try_to_speak(self, payload: bytes, now: float) -> Spoken:
        try:
            self._broadcasts.check(payload)
            return Spoken(self._teller(now), self._broadcasts.broadcast(payload, now))
        except SwimError as error:
            return Spoken(self._teller(now), None, str(error)[:MAX_DETAIL])

    def _take_seeds(self, ask: Ask, now: float) -> Joined:
        """Asking twice has no further effect, so nothing is remembered."""
        if self._local.left:
            return Joined(self._teller(now), None, "it has left")
        try:
            return Joined(self._teller(now), self._joiner.add(unpack_addresses(ask.argument), now))
        except SwimError as error:
            return Joined(self._teller(now), None, str(error)[:MAX_DETAIL])
        except (ValueError, RecursionError):
            return Joined(self._teller(now), None, "that is no list of addresses")

    # ------------------------------------------------------------------ the node itself

    def _teller(self, now: float) -> Teller:
        table = self._table
        address = pack(self._local.address)
        return Teller(
            self._local.name, address, self._clock.read(now), table.live_count, table.gone_count, self._standing()
        )

    def _standing(self) -> Standing:
        if self._local.left:
            return Standing.LEFT
        if self._local.rival is not None:
            return Standing.SUPERSEDED
        if self._health.isolated:
            return Standing.ISOLATED
        if self._health.deaf:
            return Standing.DEAF
        in_vain = 0 < len(self._joiner.addresses) == len(self._joiner.unanswered)
        return Standing.UNANSWERED if self._table.live_count == 1 and in_vain else Standing.FINE


class _Members(msgspec.Struct, array_like=True):
    """A `MembersPage` of encoded rows."""

    teller: Teller
    rows: list[Raw]


class _Reason(msgspec.Struct, array_like=True):
    """A `ReasonPage` of encoded notes."""

    teller: Teller
    row: Row
    notes: list[Raw]


def _size(page: MembersPage | ReasonPage) -> int:
    """The bytes of a page without the items of its list."""
    return len(_encode(page)) + LIST_SIZE


def _fit(room: int, items: Iterable[Row | Note]) -> list[Raw]:
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
