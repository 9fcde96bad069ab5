"""Decides who owns a key, by rendezvous hashing (highest random weight) over the live members that match a filter.

Every process that sees the same members gets the same owner, with no table to keep and nobody to ask. When a member
goes, only its keys move, spread evenly over the others; when one comes, it takes an equal share from each.

**What is hashed.** A member's score for a key is the BLAKE2b digest of 8 bytes, without key, salt or
personalisation, of: the length of its name in UTF-8 (one byte), the name, the key (text as UTF-8). The largest
digest, compared as bytes, owns the key; of equal ones the smaller name. A program in any language can follow.

The views of members differ at times, so two members may each think that they own a key: this is not a lock
(docs/examples/singleton_job.py shows what helps). All members have the same weight. A lookup costs about a third of a
microsecond per member.
"""

from collections.abc import Callable, Iterable, Mapping
from heapq import nlargest
from typing import Generic, NamedTuple, TypeVar

from swim_core.digests import blake2b

from .errors import ConfigError, UnknownMember
from .member import Member, check_name

__all__ = ["Key", "Move", "Placement", "Where", "moved"]

Key = str | bytes
"""What can be owned. Text counts as its UTF-8, so ``"a"`` and ``b"a"`` are one key; nothing is normalised."""

Where = Mapping[str, str] | Callable[[Member], bool]
"""Which members may own keys: those whose metadata has all these items, or for which the function returns true."""

K = TypeVar("K", str, bytes)


class Placement:
    """Says which of ``members`` owns which key. Immutable: make a new one when the view changes.

    Only live members own keys. SUSPECT ones keep theirs, since most of them recover; DEAD and LEFT ones have none.
    The scores depend on names alone, so a restarted member owns what its last run did (`moved` tells them apart).

    Args:
        members: the members of a node's `members()`, in any order.
        where: which of them may own keys: metadata items that they must have, or a function. None for all.

    Raises:
        ConfigError: if two members have the same name, or a name is invalid.
    """

    def __init__(self, members: Iterable[Member], where: Where | None = None) -> None:
        matches = _matcher(where)
        chosen = sorted((m for m in members if m.state.live and matches(m)), key=lambda member: member.name)
        self._members = tuple(chosen)
        self._runs = tuple((member.name, member.epoch) for member in chosen)
        if len({member.name for member in chosen}) < len(chosen):
            raise ConfigError("two members have the same name: pass the members of a single view")
        # the hash of each name, to be continued with a key: a third faster than to begin anew for each key
        self._states = tuple((blake2b(_prefix(member.name), digest_size=8), member) for member in chosen)

    def __repr__(self) -> str:
        return f"<Placement over {', '.join(member.name for member in self._members) or 'nobody'}>"

    @property
    def members(self) -> tuple[Member, ...]:
        """The members that own keys, sorted by name."""
        return self._members

    def owner(self, key: Key) -> Member:
        """The member that owns ``key``, as it was in the view from which this was made.

        Compare names and not members, since metadata and states change: ``owner(key).name == node.local.name``.

        Raises:
            UnknownMember: if no member matches; `owners` returns an empty tuple then.
        """
        owner = self._find(key)
        if owner is None:
            raise UnknownMember("nobody owns this key: no live member matches")
        return owner

    def owners(self, key: Key, n: int) -> tuple[Member, ...]:
        """The ``n`` members that hold ``key``, the owner first, all different; fewer if fewer match.

        When the first of them goes, the second becomes the owner, and already has the key.

        Raises:
            ValueError: if ``n`` is negative.
        """
        if n < 0:
            raise ValueError(f"a key can't have {n} owners")
        best = nlargest(n, self._scores(key), key=lambda scored: scored[0])
        return tuple(member for _, member in best)

    def _find(self, key: Key) -> Member | None:
        best, owner = b"", None
        for score, member in self._scores(key):
            if score > best:  # in the order of names, so that of equal scores the smaller name wins
                best, owner = score, member
        return owner

    def _scores(self, key: Key) -> list[tuple[bytes, Member]]:
        data = key.encode() if isinstance(key, str) else key
        scores = []
        for state, member in self._states:
            hashed = state.copy()
            hashed.update(data)
            scores.append((hashed.digest(), member))
        return scores


class Move(NamedTuple, Generic[K]):
    """A key whose owner is a different process than before.

    Attributes:
        key: the key, as it was given.
        source: the run that owned it; None if nobody did.
        target: the run that owns it now; None if nobody does.
    """

    key: K
    source: Member | None
    target: Member | None

    @property
    def restarted(self) -> bool:
        """Whether the same member owns it in a newer run: what the last run had in memory is gone."""
        return self.source is not None and self.target is not None and self.source.name == self.target.name


def moved(before: Placement, after: Placement, keys: Iterable[K]) -> tuple[Move[K], ...]:
    """The keys whose owner differs between two placements, in the order given.

    Owners are runs of members, distinguished by name and epoch, so a restarted member counts as another owner. (In rare
    cases a member takes a new epoch without a restart, and a move is reported that didn't happen.) Where the protocol
    has no epochs, restarts go unnoticed. If the same runs own keys in both placements, nothing is computed.
    """
    if before._runs == after._runs:
        return ()
    moves = (Move(key, before._find(key), after._find(key)) for key in keys)
    return tuple(move for move in moves if _run(move.source) != _run(move.target))


def _run(member: Member | None) -> tuple[str, int] | None:
    return None if member is None else (member.name, member.epoch)


def _prefix(name: str) -> bytes:
    """The name with its length, so that no name and key together read like another name and key."""
    try:
        check_name(name)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    data = name.encode()
    return len(data).to_bytes(1, "big") + data


def _matcher(where: Where | None) -> Callable[[Member], bool]:
    if where is None:
        return lambda member: True
    if not isinstance(where, Mapping):
        return where
    wanted = where.items()
    return lambda member: wanted <= member.metadata.items()
