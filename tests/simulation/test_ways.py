"""Each observer is tried with a planted bug, which it must find, and without, when it must find nothing."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from support.inside import parts_of
from swim_core import Config, Node
from swim_core.native.claims.corrections import Corrections
from swim_core.native.claims.hearsay import Hearsay
from swim_core.native.claims.merging import ClaimMerger
from swim_core.native.cluster_clock import ClusterClock
from swim_core.native.detection.accuser import Accuser
from swim_core.native.detection.judge import Judge
from swim_core.native.detection.prober import Prober
from swim_core.native.detection.tripwires import Tripwires
from swim_core.native.detection.watch import Watch
from swim_core.native.dissemination import sync_pages
from swim_core.native.dissemination.gossip import Gossip
from swim_core.native.dissemination.sync_push import PushBack
from swim_core.native.dissemination.window import Window
from swim_core.native.table.entry import Entry
from swim_core.native.table.view_digest import ViewDigest
from swim_core.native.wire.messages import PageEntry, SyncPage
from swim_core.simulation import SCENARIOS, Chaos, InvariantViolated, Observer, Simulation
from swim_core.simulation.cluster import Cluster
from swim_core.simulation.firewalls import reject
from swim_core.simulation.judgement import VerdictsGrounded
from swim_core.simulation.old_deaths import OldDeathsHeldBack
from swim_core.simulation.pages_whole import PagesWhole
from swim_core.simulation.ways import FloodsOnRings, ProbedInTime, SyncsLevel

Plant = Callable[[pytest.MonkeyPatch], None]


def nothing(*arguments: Any, **keywords: Any) -> None:
    pass


def watched(
    way: Callable[[Cluster], Observer], members: int = 7, *, seed: int = 1, config: Config | None = None
) -> Simulation:
    simulation = Simulation(seed, config=config)
    simulation.watch(way(simulation))
    simulation.start_formed(members)
    return simulation


# ------------------------------------------------------------------ verdicts


def hang(simulation: Simulation) -> None:
    simulation.run_for(5.0)
    simulation.pause("node-3")
    simulation.run_for(12.0)


def a_quorum_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Judge, "_quorum", lambda *arguments: 1)


def votes_that_answer_no_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watch, "silent", lambda *arguments: True)


def a_hasty_accuser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Judge, "_brake", lambda judge: 0.4)


def suspicion_without_votes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watch, "suspicious", lambda *arguments: True)
    monkeypatch.setattr(Accuser, "_ask_more", nothing)


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (a_quorum_of_one, "SILENT on node-3 with 1 of 2 votes"),
        (votes_that_answer_no_poll, r"SILENT on node-3 with \d of 2 votes"),
        (a_hasty_accuser, r"SILENT on node-3 with 0 of 2 votes|SUSPICION on node-3 .* s awake after"),
        (suspicion_without_votes, "SUSPICION on node-3 with 0 of 1 votes"),
    ],
)
def test_a_verdict_that_rests_on_too_little_is_found(monkeypatch: pytest.MonkeyPatch, plant: Plant, found: str) -> None:
    hang(watched(VerdictsGrounded))
    plant(monkeypatch)
    with pytest.raises(InvariantViolated, match=found):
        hang(watched(VerdictsGrounded))


def test_an_age_that_counts_a_pause_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swim_core.shared.local_health.LocalHealth.awake", lambda health, now: now)

    def sweep() -> None:
        for seed in (14, *range(1, 60)):  # the first one that shows it today comes first
            Chaos(seed=seed, scenario=SCENARIOS["observers"]).run()

    with pytest.raises(InvariantViolated, match="s awake after it last had proof"):
        sweep()


# ------------------------------------------------------------------ old deaths


def part_and_heal(simulation: Simulation) -> None:
    simulation.run_for(4.0)
    simulation.partition([f"node-{number}" for number in range(4)])
    simulation.run_for(12.0)
    simulation.heal()
    simulation.run_for(15.0)


def test_an_old_death_that_is_believed_at_once_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    part_and_heal(watched(OldDeathsHeldBack, 12))
    monkeypatch.setattr(ClaimMerger, "_hold_back", lambda merger, claim, now, *, news: merger.believe(claim, now))
    with pytest.raises(InvariantViolated, match="old news"):
        part_and_heal(watched(OldDeathsHeldBack, 12))


# ------------------------------------------------------------------ probes


def lull(simulation: Simulation) -> None:
    simulation.run_for(6.0)
    simulation.crash("node-3", refusals=False)
    simulation.run_for(3.0)


def test_members_that_nobody_probes_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    lull(watched(ProbedInTime))
    monkeypatch.setattr(Prober, "probe", nothing)
    with pytest.raises(InvariantViolated, match="last met another"):
        lull(watched(ProbedInTime))


def test_one_that_is_left_out_when_it_ends_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    probe = Prober.probe

    def leave_out(prober: Prober, target: Entry, now: float) -> None:
        if target.name != "node-3" or not ended:
            probe(prober, target, now)

    ended: list[str] = []
    monkeypatch.setattr(Prober, "probe", leave_out)
    simulation = watched(ProbedInTime)
    simulation.run_for(6.0)
    ended.append("node-3")
    simulation.crash("node-3", refusals=False)
    with pytest.raises(InvariantViolated, match="nobody pinged node-3 within"):
        simulation.run_for(3.0)


# ------------------------------------------------------------------ floods


def flood(simulation: Simulation) -> None:
    simulation.run_for(5.0)
    simulation.broadcast("node-3", b"news")
    simulation.run_for(2.0)


def test_floods_on_one_ring_are_found() -> None:
    flood(watched(FloodsOnRings, 66))
    with pytest.raises(InvariantViolated, match=r"reached 65 others by .* ways"):
        flood(watched(FloodsOnRings, 66, config=Config.lan(rings=1)))


def test_members_that_rely_on_the_origin_alone_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    flood(watched(FloodsOnRings, 20))
    tell = Gossip.tell_broadcast

    def only_own(gossip: Gossip, *broadcast: Any, originator: bool = False) -> bool:
        return not originator or tell(gossip, *broadcast, originator=True)

    monkeypatch.setattr(Gossip, "tell_broadcast", only_own)
    with pytest.raises(InvariantViolated, match=r"reached 19 others by .* ways"):
        flood(watched(FloodsOnRings, 20))


def test_an_origin_that_tells_once_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gossip, "_repeat", nothing)
    with pytest.raises(InvariantViolated, match="node-3 told its broadcast 1 once only"):
        flood(watched(FloodsOnRings, 20))


# ------------------------------------------------------------------ syncs


def grow_apart(simulation: Simulation) -> None:
    simulation.run_for(4.0)
    halves = [[f"node-{number}" for number in numbers] for numbers in (range(10), range(10, 20))]
    addresses = [simulation.new_address() for _ in halves]
    groups = [
        [*(simulation.process(name).address for name in half), at] for half, at in zip(halves, addresses, strict=True)
    ]
    simulation.network.partition(groups)
    simulation.network_changed()
    for half, at in zip(halves, addresses, strict=True):
        simulation.add(f"newcomer-{at.host}", address=at, join=half[:2])
    simulation.run_for(2.0)
    simulation.heal()
    simulation.run_for(8.0)


def test_a_sync_that_leaves_one_side_behind_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(1, 4):
        grow_apart(watched(SyncsLevel, 20, seed=seed))
    monkeypatch.setattr(PushBack, "_push", nothing)
    monkeypatch.setattr(Hearsay, "showed_up", lambda *_: True)  # or the one left behind learns of others by their pings

    def sweep() -> None:
        for seed in range(1, 33):
            grow_apart(watched(SyncsLevel, 20, seed=seed))

    with pytest.raises(InvariantViolated, match=r"was synced with by .* does not know"):
        sweep()


def test_who_was_asked_in_vain_during_a_cut_need_not_be_known_after_a_sync() -> None:
    """If a sync mentions a member again that is already being asked, it isn't asked once more."""
    simulation = watched(SyncsLevel, 5)
    simulation.run_for(4.0)
    address, cut_off = simulation.new_address(), simulation.process("node-3")
    simulation.network.cut(address, cut_off.address)
    simulation.network.cut(cut_off.address, address)
    newcomer = simulation.add("newcomer", address=address, join=["node-0"])
    simulation.run_for(1.2)
    simulation.heal()
    simulation.network_changed()
    assert isinstance(newcomer.node, Node)
    parts = parts_of(newcomer.node)
    seed = parts.context.table.get("node-0")
    assert seed is not None
    newcomer.do(lambda _, now: parts.sync.start(seed, now))
    assert newcomer.node.member("node-3") is None
    simulation.run_for(0.45)
    assert newcomer.node.member("node-3") is None
    assert simulation.judged["syncs"]


def test_a_page_that_lacks_a_member_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def joined() -> None:
        simulation = watched(SyncsLevel, 40)
        simulation.run_for(4.0)
        simulation.add("newcomer", join=["node-0"])
        simulation.run_for(1.0)

    joined()
    whole = ViewDigest.entries
    monkeypatch.setattr(
        ViewDigest, "entries", lambda digest, *arguments: [e for e in whole(digest, *arguments) if e.name != "node-7"]
    )
    monkeypatch.setattr(Corrections, "ask_in_ack", lambda *_: 0)  # otherwise it learns of node-7 by its ping
    with pytest.raises(
        InvariantViolated, match=r"newcomer synced with node-\d+ 0.4 s ago, and does not know \['node-7'\]"
    ):
        joined()


def test_a_member_left_out_between_two_pages_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the newcomer soon learns of it in another way."""

    def joined() -> Simulation:
        simulation = watched(PagesWhole, 40)
        simulation.run_for(4.0)
        simulation.add("newcomer", join=["node-0"])
        simulation.run_for(1.0)
        return simulation

    assert joined().judged["pages"] == 1

    def skipping(id: int, cursor: int | None, differing: bytes, entries: list[PageEntry]) -> SyncPage:
        return SyncPage(id, None if cursor is None else cursor + 1, differing, entries)

    monkeypatch.setattr(sync_pages, "SyncPage", skipping)
    with pytest.raises(InvariantViolated, match=r"newcomer was told of all members but \['node-\d+'\]"):
        joined()


def test_a_window_too_small_for_a_burst_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Window, "SIZE", 64)

    def sweep() -> None:
        for seed in range(1, 5):
            Chaos(seed=seed, scenario="burst").run()

    with pytest.raises(InvariantViolated, match=r"missed \d+ broadcasts of node-\d+, which all others keep"):
        sweep()


def test_a_clock_that_one_liar_moves_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ClusterClock, "hear", lambda clock, ms, sender, members, now: clock.adopt(ms, now) or True)

    def sweep() -> None:
        for seed in range(1, 8):
            Chaos(seed=seed, scenario="hostile", members=5).run()

    with pytest.raises(InvariantViolated, match=r"shows a cluster time [\d.]+ h ahead: a liar moved it"):
        sweep()


def test_one_that_dies_of_a_firewall_that_refuses_for_a_moment_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = attrs.evolve(SCENARIOS["firewall"], acts=((1, reject),))

    def sweep() -> None:
        for seed in range(1, 4):
            Chaos(seed=seed, scenario=scenario, members=5).run()

    sweep()
    monkeypatch.setattr(Tripwires, "has_greeted", lambda *_: True)
    with pytest.raises(InvariantViolated, match="rule='gone'"):
        sweep()
