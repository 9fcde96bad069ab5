"""The members of a cluster that is formed already, prepared once for the tables of many nodes.

Simulations begin with one: a thousand nodes that each put a thousand members in order would take half a minute.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import xor

from .address import unpack
from .cells import Cells
from .hashing import Hashes
from .member import Claim, Member

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
        rows: a claim with its address, short id, phase, share of the view digest, and what it is to applications.
        digest: of all.
        cells: the same in parts.
        phases: the order by phase.
        rings: the orders on the flood rings.
    """

    def __init__(self, members: Iterable[tuple[Claim, Member]], hashes: Hashes, rings: int) -> None:
        self.rows = [
            (
                claim,
                unpack(claim.address),
                hashes.short_id(claim.name, claim.epoch),
                hashes.phase(claim.name),
                hashes.view(claim.name, claim.epoch, claim.incarnation),
                member,
            )
            for claim, member in members
        ]
        self.digest = reduce(xor, (view for *_, view, _ in self.rows), 0)
        self.cells = Cells((phase, view) for *_, phase, view, _ in self.rows)
        self.phases = Order([phase for *_, phase, _, _ in self.rows])
        places = [hashes.places(claim.name, claim.epoch) for claim, *_ in self.rows]
        self.rings = tuple(Order([place[ring] for place in places]) for ring in range(rings))
