"""Cuts arrays of a newer release to the fields that this one knows; the decoder checks their bounds afterwards."""

from collections.abc import Callable
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Raw

__all__ = ["NIL", "cut_body", "cut_list", "items_of", "joined"]

NIL = b"\xc0"
Cut = Callable[[bytes], bytes]

items_of: Callable[[bytes], list[Raw]] = msgspec.msgpack.Decoder(list[Raw]).decode
"""The encoded parts of an array. Raises ValueError (msgspec's) if it is not an array."""
joined: Callable[[list[Raw]], bytes] = msgspec.msgpack.Encoder().encode
"""The encoded array of such parts."""


@cache
def _cut(kind: Any) -> Cut | None:
    """A function that cuts the arrays in a type to the known fields; None for a type without arrays."""
    origin = get_origin(kind)
    if origin is Annotated:
        return _cut(get_args(kind)[0])
    if origin in (Union, UnionType):
        cuts = [cut for part in get_args(kind) if part is not NoneType and (cut := _cut(part)) is not None]
        return (lambda data: data if bytes(data) == NIL else cuts[0](data)) if cuts else None
    if origin is list:
        inner = _cut(get_args(kind)[0])
        return None if inner is None else lambda data: joined([Raw(inner(item)) for item in items_of(data)])
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct_cut(kind)
    return None


@cache  # to read its hints takes 40 us, and what can't be decoded is anybody's
def _struct_cut(kind: type[msgspec.Struct]) -> Cut:
    hints = get_type_hints(kind, include_extras=True)
    tagged = int(kind.__struct_config__.tag is not None)
    cuts = [_cut(hints[name]) for name in kind.__struct_fields__]
    known = len(cuts) + tagged

    def cut(data: bytes) -> bytes:
        items = items_of(data)[:known]
        for place, inner in enumerate(cuts, tagged):
            if inner is not None and place < len(items):
                items[place] = Raw(inner(items[place]))
        return joined(items)

    return cut


def cut_body(kind: type[msgspec.Struct], data: bytes) -> bytes:
    """The MessagePack of an array-like struct, cut to the known fields.

    Raises:
        ValueError: if it is not an array, or lacks one inside.
        RecursionError: on deep nesting.
    """
    return _struct_cut(kind)(data)


def cut_list(kind: type[msgspec.Struct], data: bytes) -> bytes:
    """A list of such structs, each cut. Raises like `cut_body`."""
    cut = _struct_cut(kind)
    return joined([Raw(cut(item)) for item in items_of(data)])
