"""The members of a cluster that is formed already, prepared once for the tables of many nodes.

Simulations begin with one: a thousand nodes that each put a thousand members in order would take half a minute.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import xor

from .hashing import Hashes, Identity
from .member import Claim

__all__ = ["Order", "Roster"]


class Order:
    """Positions on a ring, ascending, and which member of the roster stands at each."""

    __slots__ = ("places", "positions")

    def __init__(self, positions: Sequence[int]) -> None:
        self.places = sorted(range(len(positions)), key=positions.__getitem__)
        self.positions = [positions[place] for place in self.places]


class Roster:
    """Claims about live members, each name once, and all that a table needs to know of them.

    Attributes:
        claims: in any order; what follows is in the same.
        identities: of the claims.
        views: what each adds to the view digest.
        digest: of all.
        phases: the order by phase.
        rings: the orders on the flood rings.
    """

    def __init__(self, claims: Iterable[Claim], hashes: Hashes, rings: int) -> None:
        self.claims = tuple(claims)
        self.identities: list[Identity] = [hashes.identity(claim.name, claim.epoch) for claim in self.claims]
        self.views = [hashes.view(claim.name, claim.epoch, claim.incarnation) for claim in self.claims]
        self.digest = reduce(xor, self.views, 0)
        self.phases = Order([identity.phase for identity in self.identities])
        places = [hashes.places(claim.name, claim.epoch) for claim in self.claims]
        self.rings = tuple(Order([place[ring] for place in places]) for ring in range(rings))
