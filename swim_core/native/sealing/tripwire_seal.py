"""The keys of a node, for its tripwires."""

from .seal import Sealer

__all__ = ["KeysForTripwires"]


class KeysForTripwires:
    """See `swim_core.tripwire.TripwireSeal`: the keys that the sealer holds at the moment."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def __repr__(self) -> str:
        return f"<KeysForTripwires {self._sealer.ring!r}>"

    @property
    def plain(self) -> bool:
        """Whether plain greetings are sent and accepted, too."""
        return self._sealer.plain

    def key_for(self, short_id: int) -> tuple[int, bytes]:
        """The key that also seals datagrams to that run."""
        key = self._sealer.key_for(short_id, None) or self._sealer.ring.preferred
        return key.id, key.tripwires

    def key_of(self, key_id: int) -> bytes | None:
        """The key with that id, if it is a member's and not a reader's."""
        key = self._sealer.ring.by_id.get(key_id)
        return None if key is None or key.reader else key.tripwires
