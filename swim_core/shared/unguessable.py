"""Numbers that nobody can foresee who has seen all that came before."""

from hashlib import blake2b
from struct import Struct

__all__ = ["Unguessable", "derived"]

_WORDS = Struct(">16I")  # in a hash of 64 bytes


def derived(entropy: bytes, purpose: bytes) -> bytes:
    """A key of 64 bytes for one purpose (at most 16 bytes of name); those for others tell nothing of it."""
    return blake2b(entropy, digest_size=64, person=purpose).digest()


class Unguessable:
    """For seqs, nonces and ids, by which an answer is told from a forgery.

    Keyed BLAKE2b over a counter. `random.Random` is for times and choices only: 624 of its numbers of 32 bits give
    away all that follow.
    """

    __slots__ = ("_count", "_key", "_words")

    def __init__(self, entropy: bytes) -> None:
        self._key = derived(entropy, b"unguessable")
        self._count = 0
        self._words: list[int] = []

    def u32(self) -> int:
        """The next one, 0 to 2^32 - 1."""
        if not self._words:
            block = blake2b(self._count.to_bytes(8, "big"), key=self._key).digest()
            self._words = list(_WORDS.unpack(block))
            self._count += 1
        return self._words.pop()
