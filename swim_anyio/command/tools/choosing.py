"""Which members a tool shows: by name, state and metadata."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import msgspec

from swim_core import ConfigError, State

from .reading import Seen, View

__all__ = ["Choice", "read_choice", "read_filter"]


WILD = set("*?[")


class Choice(msgspec.Struct, frozen=True):
    """What a member must be like: one of the states, one of the names, and all of the metadata. Empty means any.

    Attributes:
        states: of which it has one.
        names: patterns as a shell has them, of which one fits.
        where: keys of metadata, and patterns for their values.
    """

    states: tuple[State, ...] = ()
    names: tuple[str, ...] = ()
    where: tuple[tuple[str, str], ...] = ()

    @property
    def any(self) -> bool:
        """Whether it leaves any member out."""
        return bool(self.states or self.names or self.where)

    @property
    def gone(self) -> bool:
        """Whether it asks for members that are dead or have left."""
        return any(not state.live for state in self.states)

    def fits(self, seen: Seen) -> bool:
        """Whether a member is chosen."""
        member = seen.member
        return (
            (not self.states or member.state in self.states)
            and (not self.names or any(fnmatchcase(member.name, pattern) for pattern in self.names))
            and all(key in member.metadata and fnmatchcase(member.metadata[key], value) for key, value in self.where)
        )

    def of(self, view: View) -> View:
        """The view with the chosen members only."""
        members = {name: seen for name, seen in view.members.items() if self.fits(seen)}
        return msgspec.structs.replace(view, members=members)


def read_choice(states: Sequence[State], names: Sequence[str], where: Sequence[str]) -> Choice:
    """The choice that options express.

    Raises:
        ConfigError: if one of ``where`` is not KEY=VALUE.
    """
    pairs = []
    for text in where:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise ConfigError(f"--where: {text!r} is not KEY=VALUE")
        pairs.append((key, value))
    return Choice(tuple(states), tuple(names), tuple(pairs))


def read_filter(text: str) -> Choice:
    """The choice that is typed into a running watch: words, each KEY=VALUE, a state, or a part or a pattern of a
    name."""
    states = {state.name.lower(): state for state in State}
    words = text.split()
    pairs = [word.partition("=") for word in words if "=" in word]
    plain = [word for word in words if "=" not in word]
    return Choice(
        tuple(states[word] for word in plain if word in states),
        tuple(word if WILD & set(word) else f"*{word}*" for word in plain if word not in states),
        tuple((key, f"{value}*") for key, _, value in pairs),
    )
