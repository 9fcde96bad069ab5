"""What the contract of a node has and Smudge's protocol doesn't: messages, metadata, keys, tripwires and rings."""

from collections.abc import Mapping
from typing import NoReturn

from swim_core.address import Address
from swim_core.errors import NotSupported
from swim_core.keys import Keys
from swim_core.member import Member
from swim_core.tripwire import NO_TRIPWIRES, TripwirePlan

__all__ = ["Unsupported"]


class Unsupported:
    """The verbs of `ProtocolNode` that raise `NotSupported`, and the views that are always empty."""

    def send(self, to: str | Member, payload: bytes, *, now: float) -> NoReturn:
        """Not supported by this protocol.

        Raises:
            NotSupported: always.
        """
        raise NotSupported("Smudge's protocol has no messages to single members: broadcast, or use the native protocol")

    def update_metadata(self, metadata: Mapping[str, str], *, now: float) -> NoReturn:
        """Not supported by this protocol.

        Raises:
            NotSupported: always.
        """
        raise NotSupported("Smudge's protocol carries no metadata: use the native protocol")

    def update_address(self, address: Address | tuple[str, int], *, now: float) -> NoReturn:
        """Not supported by this protocol, in which the address is the name.

        Raises:
            NotSupported: always.
        """
        raise NotSupported("Smudge's members are their addresses: one that moves is another member; open a new node")

    def force_leave(self, name: str, *, now: float) -> NoReturn:
        """Not supported by this protocol; see `ProtocolNode.force_leave`."""
        raise NotSupported("Smudge's members don't leave, they die: remove() forgets one on this node only")

    def set_keys(self, keys: Keys, *, now: float) -> NoReturn:
        """Not supported by this protocol; see `ProtocolNode.set_keys`."""
        raise NotSupported("Smudge's protocol can't be sealed: it takes no keys")

    def enable_tripwires(self, *, now: float) -> None:
        """Has no effect, since this protocol has no tripwires."""

    def poll_connect(self) -> Address | None:
        """Always None, since this protocol has no tripwires."""
        return None

    @property
    def tripwire_plan(self) -> TripwirePlan:
        """An empty plan, since this protocol has no tripwires."""
        return NO_TRIPWIRES

    def rings(self) -> tuple[tuple[str, ...], ...]:
        """Always empty, since news rides along with pings; see `ProtocolNode.rings`."""
        return ()
