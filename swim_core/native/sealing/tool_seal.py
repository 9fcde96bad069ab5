"""The seal of a tool, which isn't a member: it asks with a member's or a reader's key, and is answered with the
same."""

from random import Random

from swim_core.counters import DropReason
from swim_core.keys import Key, Keys, Purpose

from .header import HEADER, HEADER_SIZE, PREFERS, SEALED
from .ring import SHORT, RingKey
from .seal import MIN_SIZE, VERSION, Opened

__all__ = ["ToolSeal"]


class ToolSeal:
    """Seals questions, and opens answers. An old answer is recognized by the number in the question, not by the seal.

    Args:
        keys: keys, in the order in which they are tried.
        label: of the cluster.
        random: from real entropy or, in simulation, from a seed.

    Raises:
        KeyInvalid: if no key can be used.
        SealingUnavailable: if the package that seals is missing or too old.
    """

    plain = False

    def __init__(self, keys: Keys, label: str, random: Random) -> None:
        self._keys = [_ready(key, label) for key in keys]
        self._random = random

    def turn(self) -> None:
        """Try the next key, since no answer came."""
        self._keys.append(self._keys.pop(0))

    def key_for(self, peer: int, key: RingKey | None) -> RingKey | None:
        """See `Seal`."""
        return self._keys[0]

    def seal(self, flags: int, sender: int, text: bytes, key: RingKey, bound_to: int, now: float) -> bytes:
        """See `Seal`. Time and counter are random, since nobody looks at them."""
        high, low, counter = (self._random.getrandbits(bits) for bits in (16, 32, 32))
        header = HEADER.pack(VERSION, flags | SEALED, key.id, sender, high, low, counter)
        return header + key.encrypt(header[12:], (key.id & SHORT).to_bytes(PREFERS, "big") + text, header)

    def open(self, data: bytes, flags: int, now: float) -> tuple[Opened, bytes] | DropReason:
        """See `Seal`."""
        if len(data) < MIN_SIZE:
            return DropReason.BAD_HEADER
        _, _, key_id, sender, high, low, counter = HEADER.unpack_from(data)
        key = next((key for key in self._keys if key.id == key_id), None)
        if key is None:
            return DropReason.UNKNOWN_KEY
        header = data[:HEADER_SIZE]
        try:
            text = key.decrypt(header[12:], data[HEADER_SIZE:], header)
        except key.invalid:
            return DropReason.UNOPENED
        return Opened(sender, key, False, True, high << 32 | low, counter, 0), text


def _ready(key: Key, label: str) -> RingKey:
    if key.reader:
        return RingKey(key.derive(Purpose.READERS, label), reader=True)
    return RingKey(key.derive(Purpose.MEMBERS, label), reader=False)
