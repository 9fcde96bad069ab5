"""What is said first on a tripwire, by either side: greetings, with keys also a proof of holding one. Pure.

    plain   A -> B  greeting of A (17 bytes)            B -> A  greeting of B
    sealed  A -> B  "SWIM" | 2 | key id (4) | short id (8) | random (16)                    33 bytes
            B -> A  the same of B | MAC("swim trip B", both hellos)                          49 bytes
            A -> B  MAC("swim trip A", both hellos)                                          16 bytes

The MAC is BLAKE2b-128 under a key derived for tripwires alone. Either side's random bytes make it fresh, so what was
recorded opens nothing; and what one side said does not pass for the other's.
"""

from struct import Struct

from swim_core.digests import blake2b, compare_digest

from .tripwire import MAGIC, PLAIN, Tripwire, TripwirePlan, run_greeted

__all__ = ["RANDOM_SIZE", "Incoming", "Outgoing"]

RANDOM_SIZE = 16
"""Bytes of real entropy that each handshake takes."""
SEALED = 2  # version
_HELLO = Struct(">4sBIQ16s")
_HEAD = len(MAGIC) + 1
_MAC_SIZE = 16


def _mac(secret: bytes, who: bytes, first: bytes, second: bytes) -> bytes:
    return blake2b(first + second, digest_size=_MAC_SIZE, key=secret, person=b"swim trip " + who).digest()


class Outgoing:
    """The side that connects.

    Attributes:
        opening: what it says first.
        size: bytes that the answer has.
    """

    def __init__(self, plan: TripwirePlan, tripwire: Tripwire, random: bytes) -> None:
        self._expected = tripwire.greeting
        self._secret: bytes | None = None
        self.opening, self.size = plan.greeting, len(tripwire.greeting)
        if plan.seal is not None and not plan.seal.plain:
            own, peer = run_greeted(plan.greeting), run_greeted(tripwire.greeting)
            assert own is not None
            assert peer is not None
            key_id, self._secret = plan.seal.key_for(peer)
            self.opening = _HELLO.pack(MAGIC, SEALED, key_id, own, random)
            self._expected = _HELLO.pack(MAGIC, SEALED, key_id, peer, b"")[:-RANDOM_SIZE]
            self.size = _HELLO.size + _MAC_SIZE

    def take(self, heard: bytes) -> bytes | None:
        """What to say in return to all that was heard so far, perhaps nothing; None while there is more to come.

        Raises:
            ValueError: if it is not the answer of the run that was meant.
        """
        if len(heard) > self.size or heard[: len(self._expected)] != self._expected[: len(heard)]:
            raise ValueError("another run, or none")
        if len(heard) < self.size:
            return None
        if self._secret is None:
            return b""
        hello, mac = heard[: _HELLO.size], heard[_HELLO.size :]
        if not compare_digest(mac, _mac(self._secret, b"B", self.opening, hello)):
            raise ValueError("it does not hold the key")
        return _mac(self._secret, b"A", self.opening, hello)


class Incoming:
    """The side that accepts.

    Attributes:
        done: whether the other side has greeted well.
        wanted: bytes that are still to come, as far as is known.
        key_id: of the key with which the other side greets; None for a plain greeting, or none yet.
    """

    def __init__(self, plan: TripwirePlan, random: bytes) -> None:
        self._plan = plan
        self._random = random
        self._awaited: bytes | None = None
        self._heard = b""
        self.done = False
        self.wanted = _HEAD
        self.key_id: int | None = None

    def take(self, data: bytes) -> bytes:
        """What to say in return; nothing while there is more to come.

        Raises:
            ValueError: if it is no greeting of this cluster.
        """
        self._heard += data
        self.wanted -= len(data)
        if self.wanted > 0:
            return b""
        if len(self._heard) == _HEAD:
            self.wanted = self._size() - _HEAD
            return b""
        if self._awaited is not None:
            self.done = compare_digest(self._heard[-_MAC_SIZE:], self._awaited)
            if not self.done:
                raise ValueError("it does not hold the key")
            return b""
        return self._answer()

    def _size(self) -> int:
        """How long the greeting is that begins so."""
        seal, version = self._plan.seal, self._heard[-1]
        if self._heard[:-1] == MAGIC and version == PLAIN and (seal is None or seal.plain):
            return len(self._plan.greeting)
        if self._heard[:-1] == MAGIC and version == SEALED and seal is not None:
            return _HELLO.size
        raise ValueError("no greeting, or not of this kind")

    def _answer(self) -> bytes:
        if self._heard[_HEAD - 1] == PLAIN:
            if not self._plan.admits(self._heard):
                raise ValueError("another cluster")
            self.done = True
            return self._plan.greeting
        assert self._plan.seal is not None
        key_id = self.key_id = _HELLO.unpack(self._heard)[2]
        secret = self._plan.seal.key_of(key_id)
        own = run_greeted(self._plan.greeting)
        if secret is None or own is None:
            raise ValueError("another key")
        hello = _HELLO.pack(MAGIC, SEALED, key_id, own, self._random)
        self._awaited = _mac(secret, b"A", self._heard, hello)
        self.wanted = _MAC_SIZE
        return hello + _mac(secret, b"B", self._heard, hello)
