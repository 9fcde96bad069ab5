"""Verbs and views are written once: every adapter's node has all of the contract's, and rewrites none."""

import pytest

from swim_anyio import AsyncNode
from swim_core import ProtocolNode
from swim_core.embedding.node_face import NodeFace
from swim_core.simulation import SimulatedNode
from swim_threads import ThreadNode

FOR_ADAPTERS = {"discover", "enable_tripwires", "has_left", "tripwire_plan", "update_address"}
"""What an engine does with its node, beside feeding and polling it."""
WAIT = {"leave", "ping"}
"""What each adapter has to write for itself."""


def public(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith(("_", "feed_", "poll_"))}


def test_the_face_shows_all_that_the_contract_has_for_applications() -> None:
    assert public(NodeFace) == public(ProtocolNode) - FOR_ADAPTERS - WAIT


@pytest.mark.parametrize("kind", [ThreadNode, AsyncNode])
def test_an_adapter_writes_none_of_it_anew(kind: type) -> None:
    assert issubclass(kind, NodeFace)
    assert not public(kind) & public(NodeFace)
    assert public(kind) >= WAIT


def test_simulation_only_looks_on_at_two_verbs() -> None:
    assert public(SimulatedNode) & public(NodeFace) == {"broadcast", "update_metadata"}
