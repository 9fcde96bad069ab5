"""The seal around a datagram: its header, what is authenticated, and how copies are recognized.

    0      version = 1
    1      flags, SEALED among them; BOUND: the receiver's short id is authenticated too, and not sent
    2..5   key id (big-endian, as all)
    6..13  sender's short id; 0 for a tool
    14..19 cluster time of the sender, ms
    20..23 counter of the sender, random at first
    24..   AEAD of: the end of the id of the key that the sender prefers (2 bytes), the body without its sender
    ..     tag (16)

The nonce is bytes 12 to 23, and the whole header is authenticated. A datagram needs no entropy, and no two of one node
have the same nonce. If a cloned machine uses a nonce twice, this cipher reveals only whether both texts were equal.
"""

from struct import Struct
from typing import Protocol

import msgspec

from swim_core.counters import DropReason

from .aead import TAG_SIZE
from .header import BOUND, HEADER, HEADER_SIZE, PREFERS, SEALED
from .ring import SHORT, KeyRing, RingKey
from .runs import Run, Runs

__all__ = ["Opened", "Seal", "Sealer"]

VERSION = 1
BOUND_HEADER = Struct(">BBIQHIIQ")  # and the receiver's short id, which is not sent
MIN_SIZE = HEADER_SIZE + PREFERS + 1 + TAG_SIZE
MAX_COUNTER = 2**32 - 1
NEARLY = 2**20  # counters before the end at which a node begins a new run, long before they run out
FORMER = 60.0  # seconds for which datagrams sealed for a node's last short id are opened: they may be on their way
NONCE = slice(12, 24)
MAX_QUESTIONS = 1_024  # of tools, remembered: whoever recorded some would have them answered again and again
_BOUND_SEAL = SEALED | BOUND
_unpack, _pack, _pack_bound = HEADER.unpack_from, HEADER.pack, BOUND_HEADER.pack


class Opened(msgspec.Struct, gc=False):
    """What the seal of a datagram said.

    Attributes:
        sender: its short id; 0 for a tool.
        key: the key that it was sealed with; answers are sealed with the same.
        bound: whether it was for this very run.
        known: whether something from this run was taken before, so that this is certainly not a copy.
        time: the sender's cluster time, ms.
        counter: the sender's.
        prefers: the end of the id of the key that it prefers.
    """

    sender: int
    key: RingKey
    bound: bool
    known: bool
    time: int
    counter: int
    prefers: int


class Time(Protocol):
    """A source of cluster time."""

    def read(self, now: float) -> int:
        """In ms."""


class Seal(Protocol):
    """Encrypts and authenticates the bodies of datagrams without their sender; see `Codec`."""

    def key_for(self, peer: int, key: RingKey | None) -> RingKey | None:
        """The key to seal with for the run ``peer``, whose question came in ``key``; None for plain text."""

    def seal(self, flags: int, sender: int, text: bytes, key: RingKey, bound_to: int, now: float) -> bytes:
        """The datagram that says ``text``: an array without the sender, which is in the header."""

    def open(self, data: bytes, flags: int, now: float) -> tuple[Opened, bytes] | DropReason:
        """What the seal said, and the text inside; or the reason why it was not opened."""

    @property
    def plain(self) -> bool:
        """Whether plain datagrams are taken too."""


def _end_of(ring: KeyRing) -> bytes:
    """The end of the id of the key that the node prefers."""
    return (ring.preferred.id & SHORT).to_bytes(PREFERS, "big")


class Sealer:
    """Seals the datagrams of one node, and opens those that it receives, each once.

    Args:
        ring: its keys.
        time: the cluster time.
        counter: where the counter starts: a random number below 2^31.
        most_runs: how many runs are remembered; see `Runs`.
        plain: whether plain datagrams are taken too.

    Attributes:
        ring: its keys now.
        runs: what is kept of others.
        plain: as given.
        own: the short id of this node.
    """

    def __init__(self, ring: KeyRing, time: Time, *, counter: int, most_runs: int, plain: bool = False) -> None:
        self.ring = ring
        self.runs = Runs(ring, most_runs)
        self.plain = plain
        self._time = time
        self._counter = counter
        self._runs = self.runs.by_id
        self._questions: dict[bytes, None] = {}  # nonces of the latest datagrams of tools, which have no run
        self._prefers = _end_of(ring)
        self._former = 0
        self._renamed = float("-inf")
        self.own = 0
        self._own_bytes = bytes(8)

    def __repr__(self) -> str:
        return f"<Sealer {self.ring!r}>"

    def be(self, short_id: int, now: float) -> None:
        """Use another short id; datagrams sealed for the last one are opened for a minute longer."""
        if short_id != self.own:
            self._former, self._renamed = self.own, now
            self.own, self._own_bytes = short_id, short_id.to_bytes(8, "big")

    def use(self, ring: KeyRing) -> None:
        """Use other keys from now on."""
        self.ring = ring
        self._prefers = _end_of(ring)
        self.runs.use(ring)

    def agrees(self, run: Run) -> bool:
        """Whether that run prefers the same key as this node, as far as is known."""
        return not run.sealed or run.prefers == self.ring.preferred.id & SHORT

    @property
    def nearly_spent(self) -> bool:
        """Whether the counter is about to run out: then this node must begin a new run, and call `start_over`."""
        return self._counter > MAX_COUNTER - NEARLY

    def start_over(self, counter: int) -> None:
        """Restart the counter, in a new run."""
        self._counter = counter

    # ------------------------------------------------------------------ out

    def key_for(self, peer: int, key: RingKey | None) -> RingKey | None:
        """See `Seal`: the key that the run prefers, else the one that it asked in, else the one that this node
        prefers."""
        run = self._runs.get(peer)
        if run is not None:
            return run.key
        if key is not None or self.plain:
            return key
        return self.ring.ordered[0]

    def in_turn(self, tries: int) -> RingKey | None:
        """The key for a try, the first being 1, at somebody who may hold any of this node's; None for plain text.

        Each in turn: first the one that was last chosen for another run, which in a rotation is one that laggards hold.
        """
        ways = [*([None] if self.plain else []), *self.ring.ordered]
        latest = self.runs.latest
        first = ways.index(latest) if latest in ways else 0
        return ways[(first + tries - 1) % len(ways)]

    def seal(self, flags: int, sender: int, text: bytes, key: RingKey, bound_to: int, now: float) -> bytes:
        """See `Seal`."""
        if self._counter == MAX_COUNTER:
            raise OverflowError("no counters are left in this run")
        self._counter = counter = self._counter + 1
        time = self._time.read(now)
        high, low = time >> 32, time & 0xFFFFFFFF
        if bound_to:
            authenticated = _pack_bound(VERSION, flags | _BOUND_SEAL, key.id, sender, high, low, counter, bound_to)
            header = authenticated[:HEADER_SIZE]
        else:
            authenticated = header = _pack(VERSION, flags | SEALED, key.id, sender, high, low, counter)
        return header + key.encrypt(authenticated[NONCE], self._prefers + text, authenticated)

    # ------------------------------------------------------------------ in

    def open(self, data: bytes, flags: int, now: float) -> tuple[Opened, bytes] | DropReason:
        """See `Seal`. If this is the first datagram of its run, the caller confirms with `take` that it is not a
        recording.
        """
        if len(data) < MIN_SIZE:
            return DropReason.BAD_HEADER
        _, _, key_id, sender, time_high, time_low, counter = _unpack(data)
        key = self.ring.by_id.get(key_id)
        if key is None:
            return DropReason.UNKNOWN_KEY
        if key.reader and sender:  # a reader can only ask questions, and is not a member
            return DropReason.UNOPENED
        run = self._runs.get(sender)
        header, bound, nonce = data[:HEADER_SIZE], flags & BOUND, data[NONCE]
        if (run is not None and run.has_seen(counter)) or nonce in self._questions:
            return DropReason.REPLAYED
        try:
            text = key.decrypt(nonce, data[HEADER_SIZE:], header + self._own_bytes if bound else header)
        except key.invalid:
            former = self._open_former(key, data, now) if bound else None
            if former is None:
                return DropReason.UNOPENED
            text = former
        prefers = text[0] << 8 | text[1]
        known = run is not None and run.highest >= 0
        if run is not None and known:
            run.note(counter)
            if run.prefers != prefers or run.used is not key:
                self.runs.prefers(run, key, prefers)
        elif not sender:
            self._asked(nonce)
        return Opened(sender, key, bound != 0, known, time_high << 32 | time_low, counter, prefers), text

    def _asked(self, nonce: bytes) -> None:
        """Note the nonce of a tool's datagram, which is random."""
        self._questions[nonce] = None
        if len(self._questions) > MAX_QUESTIONS:
            del self._questions[next(iter(self._questions))]

    def _open_former(self, key: RingKey, data: bytes, now: float) -> bytes | None:
        """Open a datagram sealed for this node's last short id, if it had that a moment ago."""
        if not self._former or now - self._renamed > FORMER:
            return None
        header = data[:HEADER_SIZE]
        try:
            return key.decrypt(data[NONCE], data[HEADER_SIZE:], header + self._former.to_bytes(8, "big"))
        except key.invalid:
            return None

    def take(self, opened: Opened) -> None:
        """Confirm that a datagram is not a recording: from now on each datagram of its run counts once."""
        if opened.sender:
            self.runs.take(opened.sender, opened.counter, opened.key, opened.prefers)
