"""The protocol of Smudge (github.com/clockworksoul/smudge), byte for byte, behind the face of `ProtocolNode`."""

from .codec import (
    BroadcastRecord,
    DecodeError,
    MemberRecord,
    Message,
    Status,
    Verb,
    decode,
    decode_announcement,
    encode,
    encode_announcement,
)

__all__ = [
    "BroadcastRecord",
    "DecodeError",
    "MemberRecord",
    "Message",
    "Status",
    "Verb",
    "decode",
    "decode_announcement",
    "encode",
    "encode_announcement",
]
