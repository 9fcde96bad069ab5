"""The keys of a node in one cluster: their ids, and a cipher for each."""

from swim_core.digests import blake2b
from swim_core.errors import KeyInvalid
from swim_core.keys import Key, Keys, Purpose

from .aead import make_aead

__all__ = ["KeyRing", "RingKey", "key_id"]

SHORT = 0xFFFF  # the last 16 bits of an id, by which a member says which key it prefers


def key_id(key: Key, label: str) -> int:
    """The id of a key in datagrams of the cluster with that label; it reveals nothing about the key."""
    return _id_of(key.derive(Purpose.READERS if key.reader else Purpose.MEMBERS, label))


def _id_of(base: bytes) -> int:
    return int.from_bytes(blake2b(digest_size=4, key=base, person=b"swim key id").digest(), "big")


class RingKey:
    """A key ready for use, for datagrams of members, or for readers' questions and their answers.

    Attributes:
        id: what stands in headers.
        reader: whether it is a reader's.
        encrypt: seals; see `Aead`.
        decrypt: opens.
        tripwires: authenticates greetings on tripwires; empty for a reader's key.
        invalid: what `decrypt` raises.
    """

    __slots__ = ("decrypt", "encrypt", "id", "invalid", "reader", "tripwires")

    def __init__(self, base: bytes, *, reader: bool, tripwires: bytes = b"") -> None:
        self.tripwires = tripwires
        aead, self.invalid = make_aead(base)
        self.id = _id_of(base)
        self.reader = reader
        self.encrypt = aead.encrypt
        self.decrypt = aead.decrypt

    def __repr__(self) -> str:
        return f"<RingKey {self.id:08x}>"


class KeyRing:
    """The keys of one node, for one cluster. Immutable.

    Args:
        keys: members' keys, in order of preference.
        label: of the cluster.

    Attributes:
        ordered: the members' keys, the preferred one first.
        by_id: all keys, readers' keys included.

    Raises:
        KeyInvalid: if one is a reader's, or the ids of two have the same end.
        SealingUnavailable: if the package that seals is missing or too old.
    """

    def __init__(self, keys: Keys, label: str) -> None:
        self.ordered = tuple(
            RingKey(key.derive(Purpose.MEMBERS, label), reader=False, tripwires=key.derive(Purpose.TRIPWIRES, label))
            for key in keys
        )
        readers = [RingKey(key.derive(Purpose.READERS, label), reader=True) for key in keys]
        self.by_id = {key.id: key for key in (*self.ordered, *readers)}
        self._by_end = {key.id & SHORT: key for key in self.ordered}
        if len(self.by_id) < 2 * len(keys) or len(self._by_end) < len(keys):
            raise KeyInvalid("two keys whose ids end alike in this cluster: make another one")

    @property
    def preferred(self) -> RingKey:
        """The key with which this node seals if nothing else is known."""
        return self.ordered[0]

    @property
    def ids(self) -> dict[str, int]:
        """Those of the members' keys, in hex: 1 for the preferred one, 0 for the others."""
        return {f"{key.id:08x}": int(key is self.preferred) for key in self.ordered}

    def ending(self, end: int) -> RingKey | None:
        """The member's key whose id ends in these 16 bits."""
        return self._by_end.get(end)

    def __repr__(self) -> str:
        more = len(self.ordered) - 1
        return f"<KeyRing {self.preferred.id:08x}{f', {more} more' if more else ''}>"
