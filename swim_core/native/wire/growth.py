"""Datagrams of a newer release: what this release knows is taken, and the rest is ignored (docs/compatibility.md).

A newer release may add fields after the last one of any array, lists after the last one of a datagram, and messages.
The strict decoder refuses such a datagram; only then is it read here, piece by piece: arrays are cut to the known
fields, and those are decoded within the usual bounds. New fields of a claim are kept, since claims are passed on to
members that may know what they mean.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, get_args

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from .claim import Claim
from .messages import Further, Message, PageEntry
from .trimming import NIL, cut_body, items_of

__all__ = ["read_claims", "read_further", "read_message"]

MAX_FIELDS = 8
"""The number of new fields of a claim that are passed on; a claim with more is refused."""
MAX_BYTES = 128
"""The bytes of all new fields, so that the largest claim still fits in the smallest `max_datagram`."""

_number = msgspec.msgpack.Decoder(int).decode
_claim = msgspec.msgpack.Decoder(Claim).decode
_message = msgspec.msgpack.Decoder(Message).decode
_MESSAGES: Mapping[int, type[msgspec.Struct]] = {kind.__struct_config__.tag: kind for kind in get_args(Message)}


def read_message(data: bytes) -> Message | None:
    """The known part of a message; None for an unknown message. Raises like `cut_body`."""
    if bytes(data) == NIL:
        return None
    items = items_of(data)
    if not items:
        raise ValueError("a message without a number")
    kind = _MESSAGES.get(_number(items[0]))
    if kind is None:
        return None
    message: Any = _message(cut_body(kind, data))
    grown: dict[str, Any] = {}
    for place, name in enumerate(kind.__struct_fields__, 1):
        known = getattr(message, name)
        if isinstance(known, Claim):
            grown[name] = _read_claim(items[place])
        elif isinstance(known, list) and known and isinstance(known[0], PageEntry):
            entries = zip(items_of(items[place]), known, strict=True)
            grown[name] = [PageEntry(_read_claim(items_of(raw)[0]), entry.number) for raw, entry in entries]
    return replace(message, **grown) if grown else message  # type: ignore[no-any-return]


def read_further(data: bytes) -> list[Further]:
    """The messages after the first one, without those that may not be there. Raises like `cut_body`."""
    return [message for raw in items_of(data) if isinstance(message := read_message(raw), Further)]


def read_claims(data: bytes) -> list[Claim]:
    """A list of claims with the new fields of each. Raises like `cut_body`."""
    return [_read_claim(raw) for raw in items_of(data)]


def _read_claim(data: bytes) -> Claim:
    known = len(Claim.__struct_fields__)
    new = items_of(data)[known:]
    if len(new) > MAX_FIELDS or sum(map(len, new)) > MAX_BYTES:
        raise ValueError("a claim with more that is new than can be handed on")
    plain = _claim(cut_body(Claim, data))
    if not new:
        return plain
    return _grown(len(new))(*(getattr(plain, name) for name in Claim.__struct_fields__), *new)


@cache
def _grown(fields: int) -> type[Claim]:
    """The class of claims with this many new fields, which it encodes as they came."""
    more = [(f"new_{number}", Raw, Raw(NIL)) for number in range(fields)]
    made = msgspec.defstruct(
        "Claim", more, bases=(Claim,), frozen=True, array_like=True, gc=False, forbid_unknown_fields=True
    )
    assert issubclass(made, Claim)
    return made
