"""What applications do with the objects that they are given: print them, turn them into JSON, pickle and copy them."""

from binascii import b2a_base64
from collections.abc import Mapping
from enum import Enum, IntEnum
from math import isfinite
from typing import Any, NoReturn, TypeVar

import msgspec

from .address import Address

__all__ = ["FrozenDict", "Word", "octets", "plain", "text_of"]

K = TypeVar("K")
V = TypeVar("V")


class FrozenDict(dict[K, V]):
    """A dict that can't be changed; unlike a mapping proxy it can be pickled, copied and encoded as JSON.

    Raises:
        TypeError: at every attempt to change it.
    """

    def _refuse(self, *arguments: object, **keywords: object) -> NoReturn:
        raise TypeError("this mapping is read-only: change a copy, dict(mapping)")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)


class Word(IntEnum):
    """An enumeration that prints as its name in lower case, and compares and encodes as its number."""

    def __str__(self) -> str:
        return self.name.lower()

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


def plain(value: object) -> Any:
    """What JSON knows, of anything that this library hands out.

    An address becomes ``"host:port"``, an enumeration its name in lower case, bytes their text if they are UTF-8
    and base64 otherwise, an object a dict of its fields; durations are cut to microseconds,
    and what is infinite becomes null.
    """
    match value:
        case None | bool() | str():
            return value
        case Enum():
            return value.name.lower()
        case int():
            return value
        case float():
            return round(value, 6) if isfinite(value) else None
        case Address():
            return str(value)
        case bytes():
            return text_of(value) or b2a_base64(value, newline=False).decode()
        case Mapping():
            return {str(plain(key)): plain(item) for key, item in value.items()}
        case tuple() if hasattr(value, "_asdict"):
            return plain(value._asdict())
        case tuple() | list():
            return [plain(item) for item in value]
        case msgspec.Struct():
            return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    raise TypeError(f"nothing of this library: {value!r}")


def octets(payload: object) -> bytes:
    """A payload as bytes that nobody else changes.

    Raises:
        TypeError: if it is not bytes, or a buffer of bytes.
    """
    if isinstance(payload, str):
        raise TypeError("a payload is bytes, not str: encode the text, as by text.encode()")
    if not isinstance(payload, bytes | bytearray | memoryview):
        raise TypeError(f"a payload is bytes, not {type(payload).__name__}")
    return bytes(payload)


def text_of(data: bytes) -> str | None:
    """The text that ``data`` is, or None if it is no UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
