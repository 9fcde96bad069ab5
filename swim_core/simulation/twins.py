"""Members of which few are simulated: each stands for its twins, which do at the same time what it does.

The places of members on the rings, which are hashes otherwise, are chosen such that all twins see the same: whatever
leads from a member to another one leads from its twin to the other one's twin. So a cluster of 100,000 is known by what
a hundred kinds of members do.
"""

from math import gcd
from random import Random
from typing import NamedTuple

from swim_core.address import Address
from swim_core.native.config import Config
from swim_core.native.wire.hashing import Hashes

__all__ = ["Place", "TwinHashes", "Twins"]

PORT = 7946
WHOLE = 1 << 64


class Place(NamedTuple):
    """Which member: its kind, and its number among the twins of that kind. Number 0 is the one that is simulated."""

    kind: int
    number: int


class Twins:
    """The names and addresses of all members.

    Args:
        kinds: how many different members there are, newcomers among them.
        count: how many twins of each.

    Attributes:
        kinds: as given.
        count: as given.
        names: by kind and number.
        addresses: by kind and number.
        named: the place of each name.
        at: the place of each address.
    """

    def __init__(self, kinds: int, count: int) -> None:
        self.kinds = kinds
        self.count = count
        numbers = [range(kind * count, (kind + 1) * count) for kind in range(kinds)]
        self.names = [[f"node-{number}" for number in block] for block in numbers]
        self.addresses = [[_address(number + 1) for number in block] for block in numbers]
        places = [[Place(kind, number) for number in range(count)] for kind in range(kinds)]
        self.named = {
            name: place
            for names, row in zip(self.names, places, strict=True)
            for name, place in zip(names, row, strict=True)
        }
        self.at = {
            where: place
            for some, row in zip(self.addresses, places, strict=True)
            for where, place in zip(some, row, strict=True)
        }

    def simulated(self, address: Address) -> Address | None:
        """The address of the twin that is simulated; None if nobody is there."""
        place = self.at.get(address)
        return None if place is None else self.addresses[place.kind][0]

    def place_in(self, config: Config, seed: object) -> Config:
        """The same settings, for nodes that place members as twins."""
        hashes = TwinHashes(config.cluster, config.rings, self, seed)

        class Placed(Config, frozen=True):
            def hashes(self) -> Hashes:
                return hashes

        return Placed(**{name: getattr(config, name) for name in Config.__struct_fields__})


def _address(host: int) -> Address:
    return Address(f"10.{host >> 16 & 255}.{host >> 8 & 255}.{host & 255}", PORT)


class _Ring:
    """The places on a ring. It is divided into as many sections as there are twins, and each has one of each kind.

    The order of the kinds is the same in all sections. From a twin to the next one of its kind it is as far as from any
    other.
    """

    def __init__(self, twins: Twins, random: Random) -> None:
        self._count = count = twins.count
        self._length = WHOLE // count
        self._first = [random.randrange(count) for _ in range(twins.kinds)]
        self._within = [random.randrange(self._length) for _ in range(twins.kinds)]
        self._stride = 1
        while count > 2 and (self._stride == 1 or gcd(self._stride, count) > 1):
            self._stride = random.randrange(1, count)

    def position(self, place: Place) -> int:
        section = (self._first[place.kind] + place.number * self._stride) % self._count
        return section * self._length + self._within[place.kind]


class TwinHashes(Hashes):
    """Hashes by which all twins of a member have the same surroundings; see the module."""

    def __init__(self, label: str, rings: int, twins: Twins, seed: object) -> None:
        super().__init__(label, rings)
        self._named = twins.named
        self._order = _Ring(twins, Random(f"{seed}/order"))
        self._on_rings = [_Ring(twins, Random(f"{seed}/ring {ring}")) for ring in range(rings)]

    def phase(self, name: str) -> int:
        return self._order.position(self._named[name])

    def places(self, name: str, epoch: int) -> tuple[int, ...]:
        place = self._named[name]
        return tuple(ring.position(place) for ring in self._on_rings)
