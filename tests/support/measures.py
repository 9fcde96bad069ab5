"""What an attacker could make grow: every container that a node holds, found by walking it, and its work, in calls."""

import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from enum import Enum
from random import Random
from types import FunctionType, MethodType
from typing import Any

import msgspec

from swim_core import Config, Member
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.hashing import Hashes

_LEAVES = (str, bytes, int, float, complex, bool, type(None), type, Enum, Random, FunctionType, Config, Hashes)
_ONE_EACH = (Claim, Member)  # values, not places that could fill up


def _fields(thing: Any) -> list[tuple[str, Any]]:
    names = list(getattr(thing, "__dict__", ()))
    for kind in type(thing).__mro__:
        slots = getattr(kind, "__slots__", ())
        names += [slots] if isinstance(slots, str) else slots
    if isinstance(thing, msgspec.Struct):
        names += thing.__struct_fields__
    return [(name, getattr(thing, name)) for name in dict.fromkeys(names) if hasattr(thing, name)]


def objects(whole: object) -> Iterator[object]:
    """The objects that make up a node or a part, without containers and plain values."""
    seen: set[int] = set()
    stack = [whole]
    while stack:
        thing = stack.pop()
        if isinstance(thing, MethodType):
            thing = thing.__self__
        if isinstance(thing, _LEAVES) or id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, dict):
            stack += thing.values()
        elif isinstance(thing, list | tuple | set | frozenset | deque):
            stack += thing
        elif type(thing).__module__.startswith("swim_core"):
            yield thing
            stack += [value for _, value in _fields(thing)]


def sizes(whole: object) -> Counter[str]:
    """How many items each kind of container of a node, or of a part, holds, by the place in the code that holds it.

    Containers at one place, the windows of all streams say, are added up. What is waiting in outputs is for
    the caller to drain first.
    """
    found: Counter[str] = Counter()
    seen: set[int] = set()
    stack: list[tuple[str, Any]] = [("", whole)]
    while stack:
        place, thing = stack.pop()
        if isinstance(thing, MethodType):
            thing = thing.__self__
        if isinstance(thing, _LEAVES) or id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, _ONE_EACH):
            found[type(thing).__name__] += 1
        elif isinstance(thing, dict | list | tuple | set | frozenset | deque):
            if not isinstance(thing, tuple):
                found[place] += len(thing)
            stack += [(f"{place}[]", item) for item in thing]
            if isinstance(thing, dict):
                stack += [(f"{place}[]", item) for item in thing.values()]
        elif type(thing).__module__.startswith("swim_core"):
            stack += [(f"{type(thing).__name__}.{name}", value) for name, value in _fields(thing)]
    return found


def calls(work: Callable[[], object]) -> int:
    """How many functions, Python's and C's, are called in doing something: its cost, the same on every machine."""
    count = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count
