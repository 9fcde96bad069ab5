"""What stands around a sealed body: flags, the header, and the sender, which is there and not in the body.

A node without keys loads nothing else of this folder.
"""

from struct import Struct

__all__ = ["BOUND", "HEADER", "HEADER_SIZE", "OPENS", "OVERHEAD", "PREFERS", "SEALED", "with_sender"]

SEALED, BOUND, OPENS = 1, 16, 32  # flags
HEADER = Struct(">BBIQHII")
HEADER_SIZE = HEADER.size  # 24
PREFERS = 2
OVERHEAD = 27
"""Bytes by which a sealed datagram exceeds a plain one, at most."""
_SENDER = slice(6, 14)  # where the sender's short id stands
_ONE, _FIFTEEN = (
    0x91,
    0x9F,
)  # headers of arrays of one item and of fifteen; with one more item the header is no longer one byte
_BEFORE_SENDER = {head: bytes((head + 1, 0xCF)) for head in range(_ONE, _FIFTEEN)}  # one item more, a number of 64 bits


def with_sender(text: bytes, data: bytes) -> bytes | None:
    """The body of a datagram, from the text in its seal and its header; None if that can't be one."""
    before = _BEFORE_SENDER.get(text[PREFERS])
    return None if before is None else before + data[_SENDER] + text[PREFERS + 1 :]
