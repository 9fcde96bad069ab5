"""Datagrams of real nodes decode to the stated fields, and those encode to the same bytes."""

from typing import Any

import pytest

from support.smudge_data import is_ipv6, load, message_of
from swim_core.smudge import decode, decode_announcement, encode, encode_announcement

VECTORS = load("vectors")
UNICAST = [vector for vector in VECTORS if "multicast" not in vector["context"]]
MULTICAST = [vector for vector in VECTORS if "multicast" in vector["context"]]


def test_all_vectors_are_here() -> None:
    assert (len(UNICAST), len(MULTICAST)) == (117, 8)


@pytest.mark.parametrize("vector", UNICAST, ids=lambda v: v["id"])
def test_a_unicast_vector(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    message = decode(data, ipv6=is_ipv6(vector))
    assert message == message_of(vector)
    assert message.verb == vector["verb_value"]
    assert encode(message, ipv6=is_ipv6(vector)) == data


@pytest.mark.parametrize("vector", MULTICAST, ids=lambda v: v["id"])
def test_a_multicast_vector(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    cluster, message = decode_announcement(data, ipv6=is_ipv6(vector))
    assert (cluster, message) == (vector["cluster_name"], message_of(vector))
    assert encode_announcement(cluster, message, ipv6=is_ipv6(vector)) == data


@pytest.mark.parametrize("name", ["join", "removal", "kill", "broadcast"])
def test_all_datagrams_of_a_transcript(name: str) -> None:
    for datagram in load(f"transcript-{name}"):
        data = bytes.fromhex(datagram["hex"])
        assert encode(decode(data)) == data
