"""Smudge's protocol (github.com/clockworksoul/smudge), byte for byte, behind the interface of `ProtocolNode`."""

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
from .config import SmudgeConfig, SmudgeConfigFields
from .node import SmudgeNode

__all__ = [
    "BroadcastRecord",
    "DecodeError",
    "MemberRecord",
    "Message",
    "SmudgeConfig",
    "SmudgeConfigFields",
    "SmudgeNode",
    "Status",
    "Verb",
    "decode",
    "decode_announcement",
    "encode",
    "encode_announcement",
]
