"""The sums, counts and orders that the table keeps up to date equal those computed from all members."""

from functools import reduce
from operator import xor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from support.inside import parts_of
from swim_core import Address, Config, Member, Node
from swim_core.address import pack
from swim_core.member import Rule, State
from swim_core.native.detection.dead_prober import LOOKED_AT
from swim_core.native.table.member_table import MemberTable
from swim_core.native.table.topology import Topology
from swim_core.native.wire.claim import Claim, Verdict
from swim_core.native.wire.hashing import Hashes

CONFIG = Config.lan(max_tombstones=16, forget_after=60.0, forget_left_after=30.0)
HASHES = Hashes("", CONFIG.rings)
WHOLE = 1 << 64
OWN = Claim("me", 1, pack(Address("10.0.0.1", 1)), 0, State.ALIVE, b"")


def claims(names: int) -> st.SearchStrategy[Claim]:
    return st.builds(
        lambda number, epoch, port, incarnation, state: Claim(
            f"m{number}", epoch, pack(Address("10.0.0.2", port)), incarnation, state, b"" if state.live else None
        ),
        st.integers(1, names),
        st.integers(1, 3),
        st.integers(1, 3),
        st.integers(0, 3),
        st.sampled_from(State),
    )


@settings(deadline=None)
@given(st.lists(claims(40), max_size=120))
def test_after_any_claims(told: list[Claim]) -> None:
    table = MemberTable(CONFIG, HASHES)
    table.local_name = OWN.name
    table.put(OWN, 0.0)
    for number, claim in enumerate(told):
        table.merge(claim, float(number))
        table.members()  # otherwise no view would ever be outdated
    live = [entry for entry in table.view_digest.everyone if entry.claim.state.live]
    assert table.live_count == len(table.topology.order) == len(live)
    assert table.members() == tuple(entry.member for entry in sorted(live, key=lambda entry: entry.name))
    assert table.view_digest.value == reduce(
        xor, (HASHES.view(e.name, e.claim.epoch, e.claim.incarnation) for e in live), 0
    )
    for count in (1, 2, 7, 100, 128):
        for index in {0, count // 3, count - 1}:
            shares = (entry.view for entry in live if entry.phase * count // WHOLE == index)
            assert table.view_digest.bucket(index, count) == reduce(xor, shares, 0)


@settings(deadline=None)
@given(st.lists(st.tuples(claims(4), st.floats(0.0, 50.0)), max_size=60))
def test_who_is_gone_is_forgotten_in_time(told: list[tuple[Claim, float]]) -> None:
    table = MemberTable(CONFIG, HASHES)
    table.local_name = OWN.name
    table.put(OWN, 0.0)
    now = 0.0
    for claim, after in told:
        now += after
        table.merge(claim, now)
        gone = list(table.gone())
        excess = max(0, len(gone) - CONFIG.max_tombstones)
        lifetimes = {State.DEAD: CONFIG.forget_after, State.LEFT: CONFIG.forget_left_after}
        old = [e for e in gone if now - e.since >= lifetimes[e.claim.state]]
        due = [e for n, e in enumerate(gone) if n < excess or e in old]
        crowded_out = table.crowded_out
        assert table.expire(now) == due
        assert table.crowded_out - crowded_out == len(due) - len(old)


def test_who_goes_later_is_forgotten_later() -> None:
    table = MemberTable(CONFIG, HASHES)
    table.local_name = OWN.name
    table.put(OWN, 0.0)
    for number, state in enumerate((State.DEAD, State.LEFT, State.DEAD)):
        alive = Claim(f"m{number}", 1, OWN.address, 0, State.ALIVE, b"")
        table.merge(alive, 0.0)
        table.merge(replace(alive, state=state, metadata=None), 10.0 * number)
    expired = {now: [entry.name for entry in table.expire(now)] for now in (39.0, 40.0, 59.0, 60.0, 79.0, 80.0)}
    assert expired == {39.0: [], 40.0: ["m1"], 59.0: [], 60.0: ["m0"], 79.0: [], 80.0: ["m2"]}


def test_of_many_that_die_at_once_a_bounded_number_is_looked_at_per_round(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node("me", ("10.0.0.1", 1), config=Config.lan(), now=0.0, entropy=bytes(32), unix_ms=1_700_000_000_000)
    others = [Member(f"m{number}", Address("10.0.0.2", 1 + number), epoch=1) for number in range(3 * LOOKED_AT)]
    node.adopt(node.formed_cluster([node.local, *others]), now=0.0)
    hub = parts_of(node).context.hub
    for other in others:
        verdict = Verdict(1, Rule.GONE, 0)
        hub.verdict_given(Claim(other.name, 1, pack(other.address), 0, State.DEAD, None, verdict), 1.0)
    prober = parts_of(node).dead_prober
    looked_at: list[str] = []
    monkeypatch.setattr(Topology, "turn_before", lambda _, entry: looked_at.append(entry.name))
    for round_ in range(1, 5):
        prober.on_round(10.0 + round_ * 1e-3)
        assert len(looked_at) == min(round_, 3) * LOOKED_AT
    assert sorted(looked_at) == sorted(other.name for other in others)
