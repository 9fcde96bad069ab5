"""The indexes of a table; empty at first, or filled from a formed cluster that many tables may share."""

from operator import attrgetter
from typing import Protocol, TypeVar

import msgspec

from swim_core.address import Address
from swim_core.member import Member, State

from .entry import Entry
from .ring import Ring
from .view_digest import Cells

__all__ = ["Addresses", "Index", "TableIndexes", "View"]

K = TypeVar("K", contravariant=True)


class Index(Protocol[K]):
    """Entries by a key: a dict, or something that can stand in for one."""

    def get(self, key: K, /) -> Entry | None:
        """The entry of a key, or None."""

    def __getitem__(self, key: K, /) -> Entry: ...

    def __setitem__(self, key: K, entry: Entry, /) -> None: ...

    def __delitem__(self, key: K, /) -> None: ...


class Addresses:
    """Live members by address; if several claim one, the latest.

    Args:
        latest: to begin with.
        others: the other members at those addresses, oldest first.
    """

    __slots__ = ("_latest", "_others")

    def __init__(self, latest: Index[Address], others: dict[Address, list[Entry]]) -> None:
        self._latest = latest
        self._others = others

    def get(self, address: Address) -> Entry | None:
        """The member at an address."""
        return self._latest.get(address)

    def shared(self, entry: Entry) -> list[Entry]:
        """The others at the address of a live one."""
        others = self._others.get(entry.address)
        return (
            [] if others is None else [other for other in (self._latest[entry.address], *others) if other is not entry]
        )

    def add(self, entry: Entry) -> None:
        """Let a live member own its address from now on, whichever member claimed it before."""
        before = self._latest.get(entry.address)
        if before is not None:
            self._others.setdefault(entry.address, []).append(before)
        self._latest[entry.address] = entry

    def remove(self, entry: Entry) -> None:
        """Return the address of a member that is gone to the latest member before it."""
        others = self._others.get(entry.address)
        if self._latest[entry.address] is not entry:
            assert others is not None
            others.remove(entry)
        elif others:
            self._latest[entry.address] = others.pop()
        else:
            del self._latest[entry.address]
        if others == []:
            del self._others[entry.address]


class View:
    """The live members by name, as applications see them; made when needed."""

    __slots__ = ("_by_name", "_members")

    def __init__(self) -> None:
        self._by_name: list[Entry] | None = None  # valid until a member comes or goes
        self._members: tuple[Member, ...] | None = None

    def changed(self, entry: Entry) -> None:
        """Note that the claim about a member changed."""
        self._members = None

    def moved(self, entry: Entry) -> None:
        """Note that a member became live, or is no longer live."""
        self._by_name = self._members = None

    def members(self, live: Ring[Entry]) -> tuple[Member, ...]:
        """All live members, whose entries are ``live``."""
        if self._members is None:
            if self._by_name is None:
                self._by_name = sorted(live, key=attrgetter("name"))
            self._members = tuple([entry.member for entry in self._by_name])
        return self._members


class TableIndexes(msgspec.Struct, eq=False):
    """The parts of a table that hold entries, or are derived from them.

    Attributes:
        entries: by name.
        by_id: by the short id of the present run.
        addresses: the live ones by address.
        order: the live ones by phase.
        rings: the live ones on each flood ring.
        everyone: all of them by phase.
        view: the live ones by name.
        states: how many there are of each state.
        cells: the view digest in parts.
        digest: XOR over the live ones.
    """

    entries: Index[str]
    by_id: Index[int]
    addresses: Addresses
    order: Ring[Entry]
    rings: tuple[Ring[Entry], ...]
    everyone: Ring[Entry]
    view: View
    states: dict[State, int]
    cells: Cells
    digest: int

    @classmethod
    def empty(cls, rings: int) -> "TableIndexes":
        """Indexes for a table that knows nobody yet, with this many flood rings."""
        return cls(
            entries={},
            by_id={},
            addresses=Addresses({}, {}),
            order=Ring(),
            rings=tuple(Ring() for _ in range(rings)),
            everyone=Ring(),
            view=View(),
            states=dict.fromkeys(State, 0),
            cells=Cells(),
            digest=0,
        )
