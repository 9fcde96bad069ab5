"""A table filled from a formed cluster equals one that heard of each member separately."""

import pytest

from swim_core import Config, Node
from swim_core.address import Address, pack
from swim_core.member import State
from swim_core.native.table.formed_cluster import FormedCluster
from swim_core.native.table.member_table import MemberTable
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.hashing import Hashes
from swim_core.simulation import Simulation

CONFIG = Config.lan()
HASHES = Hashes(CONFIG.cluster, CONFIG.rings)
CLAIMS = [
    Claim(f"node-{n}", 2**60 + n, pack(Address(f"10.0.{n % 7}.{n}", 7946)), n % 3, State.ALIVE, b"") for n in range(50)
]


def table(own: Claim) -> MemberTable:
    table = MemberTable(CONFIG, HASHES)
    table.local_name = own.name
    table.put(own, 0.0)
    return table


@pytest.mark.parametrize("own", [CLAIMS[0], CLAIMS[23], CLAIMS[-1]])
def test_it_holds_the_same_as_one_that_was_told_of_each(own: Claim) -> None:
    filled, told = table(own), table(own)
    filled.hold_all(FormedCluster(CLAIMS, HASHES, CONFIG.rings), now=1.0)
    for claim in CLAIMS:
        if claim is not own:
            told.put(claim, 1.0)
    assert filled.view_digest.value == told.view_digest.value
    assert filled.view_digest.since == told.view_digest.since == 1.0
    assert filled.members() == told.members()
    ours, other = filled.topology, told.topology
    rings = (filled.view_digest.everyone, ours.order, *ours.rings)
    same = (told.view_digest.everyone, other.order, *other.rings)
    for mine, theirs in zip(rings, same, strict=True):
        assert [entry.name for entry in mine] == [entry.name for entry in theirs]
        assert [entry.name for entry in mine.after(2**63)] == [entry.name for entry in theirs.after(2**63)]
    for claim in CLAIMS:
        entry = filled.get(claim.name)
        assert entry is not None
        assert entry.claim == claim
        assert filled.by_id(entry.short_id) is filled.live_at(entry.address) is entry
    assert [filled.view_digest.bucket(n, 4) for n in range(4)] == [told.view_digest.bucket(n, 4) for n in range(4)]


def test_it_changes_like_any_other() -> None:
    filled = table(CLAIMS[0])
    filled.hold_all(FormedCluster(CLAIMS, HASHES, CONFIG.rings), now=1.0)
    version = filled.topology.version
    for state in (State.DEAD, State.ALIVE):
        filled.put(Claim("node-7", CLAIMS[7].epoch, CLAIMS[7].address, 9, state, b""), 2.0)
        assert filled.live_count == 50 - (state is State.DEAD)
    assert filled.topology.version > version


def test_nodes_that_share_a_formed_cluster_share_nothing_that_changes() -> None:
    with Simulation(1) as simulation:
        one, other, *_ = simulation.start_formed(5)
        assert isinstance(one.node, Node)
        simulation.crash("node-4")
        simulation.pause(other)
        simulation.run_for(3.0)
        assert one.node.member("node-4").state is State.DEAD  # type: ignore[union-attr]
        assert other.node.member("node-4").state is State.ALIVE  # type: ignore[union-attr]
