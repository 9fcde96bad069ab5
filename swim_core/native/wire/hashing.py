"""Hashes that every member computes alike: BLAKE2b, 8 bytes, big-endian, a ``person`` for each use.

They are keyed with the cluster's label, so that positions differ from cluster to cluster. Python's own
``hash`` is never used: it differs from process to process.
"""

from functools import lru_cache

from swim_core.digests import blake2b

__all__ = ["Hashes"]

CACHED = 512


def _digest(key: bytes, person: bytes, data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8, key=key, person=person).digest(), "big")


def _run(name: str, epoch: int) -> bytes:
    return epoch.to_bytes(8, "big") + name.encode()


# Caches for the simulator, whose nodes compute the same hashes. They are small, since a node of a large cluster would
# fill them, and needs no hash twice: it keeps those that it goes on using.


@lru_cache(maxsize=CACHED)
def _short_id(key: bytes, name: str, epoch: int) -> int:
    return _digest(key, b"id", _run(name, epoch))


@lru_cache(maxsize=CACHED)
def _phase(key: bytes, name: str) -> int:
    return _digest(key, b"phase", name.encode())


@lru_cache(maxsize=CACHED)
def _places(key: bytes, rings: int, name: str, epoch: int) -> tuple[int, ...]:
    run = _run(name, epoch)
    return tuple(_digest(key, b"ring%d" % ring, run) for ring in range(rings))


@lru_cache(maxsize=CACHED)
def _view(key: bytes, name: str, epoch: int, incarnation: int) -> int:
    return _digest(key, b"view", incarnation.to_bytes(4, "big") + _run(name, epoch))


class Hashes:
    """The hashes of one cluster: ``label`` is its label, ``rings`` the number of flood rings."""

    def __init__(self, label: str, rings: int) -> None:
        self._key = blake2b(label.encode(), digest_size=32, person=b"label").digest()
        self._rings = rings
        self.label = int.from_bytes(self._key[:4], "big")
        """32 bits of the label, as every datagram's header carries them."""

    def phase(self, name: str) -> int:
        """A member's place in the probe order, 64 bits; as a fraction of 2^64, its moment in each round."""
        return _phase(self._key, name)

    def places(self, name: str, epoch: int) -> tuple[int, ...]:
        """The positions of a run on the flood rings; not cached, since they are rarely needed."""
        return _places(self._key, self._rings, name, epoch)

    def short_id(self, name: str, epoch: int) -> int:
        """The id of one run of one member in datagrams, 64 bits."""
        return _short_id(self._key, name, epoch)

    def view(self, name: str, epoch: int, incarnation: int) -> int:
        """The share of a live member in the view digest (XOR)."""
        return _view(self._key, name, epoch, incarnation)
