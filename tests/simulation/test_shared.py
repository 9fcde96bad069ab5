"""Tables that share a formed cluster equal separate tables, and take next to no memory."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swim_core import Address, Config, Event, Member
from swim_core.address import pack
from swim_core.member import Rule, State
from swim_core.native.table.entry import Entry
from swim_core.native.table.formed_cluster import FormedCluster, Order, TableSource
from swim_core.native.table.member_table import MemberTable
from swim_core.native.table.ring import Ring
from swim_core.native.wire.claim import Claim, Verdict
from swim_core.native.wire.hashing import Hashes
from swim_core.simulation import SCENARIOS, Harm, Simulation
from swim_core.simulation import formed as formed_clusters
from swim_core.simulation.copies import Copies, SharedIndex
from swim_core.simulation.shared import SharedCluster
from swim_core.simulation.shared_ring import SharedRing

CONFIG = Config.lan(rings=3, max_tombstones=16, forget_after=60.0, forget_left_after=30.0)
HASHES = Hashes("", CONFIG.rings)
TOP = 2**64 - 1


def claim(name: str, epoch: int = 1, host: int = 1, incarnation: int = 0, state: State = State.ALIVE) -> Claim:
    verdict = None if state is State.ALIVE else Verdict(7, Rule.GONE, 0)
    return Claim(
        name, epoch, pack(Address(f"10.0.0.{host}", 1)), incarnation, state, b"" if state.live else None, verdict
    )


def entry(number: int) -> Entry:
    return Entry.of(claim(f"m{number}"), number, number, number, 0.0)


# ------------------------------------------------------------------ its parts


KEYS = st.one_of(st.integers(0, 6), st.sampled_from([2**63, TOP - 1, TOP]))


def read(ring: Ring[Entry], key: int) -> list[Any]:
    """Everything that a ring says about itself and a position."""
    items = list(ring)
    steps = range(-len(items), 2 * len(items))
    return [
        len(ring),
        [item.name for item in items],
        [ring[index].name for index in steps] if items else [],
        ring.index(key),
        [item.name for item in ring.after(key)],
        [item.name for item in ring.before(key)],
        [[item.name for item in ring.between(low, key)] for low in (0, 3, key)],
    ]


@settings(deadline=None)
@given(st.lists(KEYS, max_size=8), st.lists(st.tuples(st.integers(0, 20), KEYS), max_size=16), KEYS)
def test_a_ring_is_what_it_would_be_without_sharing(first: list[int], told: list[tuple[int, int]], key: int) -> None:
    entries = [entry(number) for number in range(len(first))]
    order = Order(first)
    shared, plain = SharedRing(order, Copies(entries, 0.0)), order.ring(entries)
    held = dict(enumerate(first))  # positions, by the number in the name
    mine = dict(zip(order.places, plain, strict=True))
    theirs = dict(zip(order.places, shared, strict=True))
    for number, position in told:
        mine.setdefault(number, entry(number))
        theirs.setdefault(number, entry(number))
        if number in held:
            where = held.pop(number)
            plain.remove(where, mine[number])
            shared.remove(where, theirs[number])
        else:
            held[number] = position
            plain.add(position, mine[number])
            shared.add(position, theirs[number])
        assert read(shared, key) == read(plain, key)
        for where in held.values():
            assert shared.index(where) == plain.index(where)


def test_a_ring_does_not_give_up_what_it_does_not_hold() -> None:
    entries = [entry(number) for number in range(3)]
    ring = SharedRing(Order([5, 5, 9]), Copies(entries, 0.0))
    there = ring[1]
    for key, item in ((5, entry(1)), (9, there), (7, there)):
        with pytest.raises(KeyError):
            ring.remove(key, item)
    ring.remove(5, there)
    with pytest.raises(KeyError):
        ring.remove(5, there)
    assert [item.name for item in ring] == ["m0", "m2"]


def attempt(call: Callable[[], Any]) -> Any:
    """What a call returns, or the class of what it raises."""
    try:
        return call()
    except KeyError:
        return KeyError


@given(st.integers(0, 3), st.lists(st.tuples(st.sampled_from("sdg"), st.integers(0, 5)), max_size=20))
def test_an_index_is_what_a_dict_would_be(size: int, told: list[tuple[str, int]]) -> None:
    copies = Copies([entry(number) for number in range(size)], 0.0)
    shared: SharedIndex[int] = SharedIndex({number: number for number in range(size)}, copies)
    plain = {number: copies[number] for number in range(size)}
    for what, key in told:
        if what == "s":
            shared[key] = plain[key] = entry(key)
        elif what == "d":
            assert attempt(lambda: shared.__delitem__(key)) == attempt(lambda: plain.__delitem__(key))  # noqa: B023
        assert shared.get(key) is plain.get(key)
        assert attempt(lambda: shared[key]) is attempt(lambda: plain[key])  # noqa: B023


def test_an_entry_is_copied_when_it_is_asked_for_and_stays_the_same() -> None:
    entries = [entry(number) for number in range(3)]
    copies, others = Copies(entries, 5.0), Copies(entries, 6.0)
    mine = copies[1]
    mine.heard = 7.0
    assert copies[1] is mine
    assert (mine.since, others[1].since) == (5.0, 6.0)
    assert entries[1].heard is others[1].heard is None
    assert mine.member is others[1].member
    assert list(copies) == [1]


# ------------------------------------------------------------------ tables


NAMES = st.sampled_from([f"m{number}" for number in range(14)])
CLAIMS = st.builds(claim, NAMES, st.integers(1, 3), st.integers(1, 4), st.integers(0, 2), st.sampled_from(State))
FIRST = [claim(f"m{number}", host=1 + number % 7, incarnation=number % 3) for number in range(9)]


def table(own: Claim, source: TableSource) -> MemberTable:
    table = MemberTable(CONFIG, HASHES)
    table.local_name = own.name
    table.put(own, 0.0)
    table.hold_all(source, 1.0)
    return table


def named(entry: Entry | None) -> tuple[str, Claim, int, float] | None:
    return None if entry is None else (entry.name, entry.claim, entry.short_id, entry.since)


def look(table: MemberTable) -> list[Any]:
    """Everything that a table says."""
    hosts = [Address(f"10.0.0.{host}", 1) for host in range(9)]
    known = list(table.view_digest.everyone)
    return [
        [named(one) for one in known],
        [named(table.get(f"m{number}")) for number in range(14)],
        [named(table.by_id(HASHES.short_id(f"m{number}", epoch))) for number in range(14) for epoch in (1, 2, 3)],
        [named(table.live_at(host)) for host in hosts],
        [[one.name for one in ring] for ring in (table.topology.order, *table.topology.rings)],
        [one.name for one in table.gone()],
        [one.name for one in table.topology.successors()],
        [[other.name for other in table.topology.predecessors(one, 3)] for one in known],
        table.members(),
        table.members(gone=True),
        table.states(),
        [table.view_digest.bucket(index, count) for count in (1, 2, 7) for index in range(count)],
        (table.view_digest.value, table.view_digest.since, table.live_count, table.topology.version),
        (table.gone_count, table.has_others),
    ]


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(FIRST), st.lists(st.tuples(CLAIMS, st.floats(0.0, 40.0)), max_size=20), st.booleans())
def test_a_table_is_what_it_would_be_without_sharing(
    own: Claim, told: list[tuple[Claim, float]], watched: bool
) -> None:
    formed = FormedCluster(FIRST, HASHES, CONFIG.rings)
    shared, plain = table(own, SharedCluster(formed)), table(own, formed)
    other = table(FIRST[3], SharedCluster(formed))
    before = look(other)
    now = 1.0
    for claim, after in told:
        if claim.name == own.name:
            continue  # others say nothing of it that it does not answer
        now += after
        changes = [table.merge(claim, now) for table in (shared, plain)]
        assert isinstance(changes[0], type(changes[1]))
        assert not watched or look(shared) == look(plain)  # looking copies all entries
        expired = [[named(one) for one in table.expire(now)] for table in (shared, plain)]
        assert expired[0] == expired[1]
    assert look(shared) == look(plain)
    assert look(other) == before


def test_tables_that_hold_the_same_have_the_same_view() -> None:
    source = SharedCluster(FormedCluster(FIRST, HASHES, CONFIG.rings))
    one, two = table(FIRST[0], source), table(FIRST[1], source)
    assert one.members() is two.members()
    news = [claim("m5", state=State.DEAD, incarnation=9), claim("m6", incarnation=9), claim("new")]
    for heard in news:
        one.merge(heard, 2.0)
    assert one.members() != two.members()
    for heard in reversed(news):
        two.merge(heard, 3.0)
    assert one.members() is two.members()


# ------------------------------------------------------------------ simulations


def lived(seed: int, acts: str, monkeypatch: pytest.MonkeyPatch, *, share: bool) -> list[Any]:
    """All that came of a run full of harm: every arrival, every event, and what all know in the end."""
    if not share:
        monkeypatch.setattr(formed_clusters, "SharedCluster", lambda formed: formed)
    with Simulation(seed, tripwires=True) as simulation:
        simulation.start_formed(40)
        harm = Harm(simulation, SCENARIOS[acts].acts, longest_stall=4.0)
        harm.play(8.0, every=0.25)
        harm.end()
        simulation.run_for(4.0)
        events: list[list[tuple[float, Event]]] = [process.events for process in simulation.processes.values()]
        views: list[tuple[Member, ...]] = [process.node.members(gone=True) for process in simulation.running()]
        told = [process.node.statistics() for process in simulation.running()]
        return [simulation.digest, simulation.steps, simulation.faults, simulation.network.traffic, events, views, told]


@pytest.mark.parametrize(
    "acts",
    [
        pytest.param("mixed", marks=pytest.mark.slow),
        pytest.param("churn", marks=pytest.mark.slow),
        "partition",
        "move",
        pytest.param("duplicate-name", marks=pytest.mark.slow),
        pytest.param("hostile", marks=pytest.mark.slow),
    ],
)
def test_a_run_is_what_it_would_be_without_sharing(acts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = lived(1, acts, monkeypatch, share=True)
    assert shared == lived(1, acts, monkeypatch, share=False)


def taken(members: int) -> int:
    """Bytes that a cluster takes after seconds in which one member crashed and another changed."""
    tracemalloc.start()
    try:
        simulation = Simulation(1)
        simulation.start_formed(members)
        simulation.crash("node-1")
        simulation.update_metadata("node-2", {"role": "cache"})
        simulation.run_for(2.0)
        assert simulation.agreed()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_memory_grows_with_the_members_and_not_with_their_square() -> None:
    taken(8)
    assert taken(400) < 6 * taken(100)
