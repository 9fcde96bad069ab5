"""What real Smudge nodes sent and did: the recorded datagrams beside this file, as fields of the codec."""

import json
from typing import Any

from support.paths import DATA
from swim_core.address import canonical
from swim_core.smudge import BroadcastRecord, MemberRecord, Message, Verb


def load(name: str) -> list[dict[str, Any]]:
    """The objects of a recorded file."""
    objects: list[dict[str, Any]] = json.loads((DATA / f"{name}.json").read_text())
    return objects


def is_ipv6(vector: dict[str, Any]) -> bool:
    """Whether addresses take 16 bytes in it."""
    return str(vector["context"]).endswith("ipv6")


def message_of(vector: dict[str, Any]) -> Message:
    """The fields that a vector states."""
    members = tuple(
        MemberRecord(
            m["status"],
            canonical(m["ip"], m["port"]),
            m["heartbeat"],
            canonical(m["source_ip"], m["source_port"]) if m["source_ip"] not in ("0.0.0.0", "::") else None,
        )
        for m in vector["members"]
    )
    broadcast = vector["broadcast"] and BroadcastRecord(
        canonical(vector["broadcast"]["origin_ip"], vector["broadcast"]["origin_port"]),
        vector["broadcast"]["index"],
        bytes.fromhex(vector["broadcast"]["payload_hex"]),
    )
    return Message(Verb[vector["verb"]], vector["sender_port"], vector["code"], members, broadcast)
