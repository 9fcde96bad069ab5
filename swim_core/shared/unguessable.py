"""Numbers that can't be foreseen even from all earlier ones."""

from struct import Struct

from swim_core.digests import blake2b

__all__ = ["Unguessable", "derived"]

_WORDS = Struct(">16I")  # in a hash of 64 bytes


def derived(entropy: bytes, purpose: bytes) -> bytes:
    """A key of 64 bytes for one purpose (a name of at most 16 bytes). Keys for other purposes reveal nothing about
    it."""
    return blake2b(entropy, digest_size=64, person=purpose).digest()


class Unguessable:
    """Seqs, nonces and ids, which distinguish an answer from a forgery.

    They are keyed BLAKE2b over a counter. `random.Random` serves for times and choices only: 624 of its 32-bit numbers
    reveal all that follow.
    """

    __slots__ = ("_count", "_key", "_words")

    def __init__(self, entropy: bytes) -> None:
        self._key = derived(entropy, b"unguessable")
        self._count = 0
        self._words: list[int] = []

    def u32(self) -> int:
        """The next number, 0 to 2^32 - 1."""
        if not self._words:
            block = blake2b(self._count.to_bytes(8, "big"), key=self._key).digest()
            self._words = list(_WORDS.unpack(block))
            self._count += 1
        return self._words.pop()
