"""Each invariant is tried with a planted bug, which it must find, and without, when it must find nothing."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import cast

import pytest
from msgspec.structs import replace

from support.recording import RecordingConfig, RecordingNode
from swim_core import (
    BroadcastReceived,
    BroadcastsLost,
    Event,
    Evidence,
    Member,
    MemberDied,
    MemberJoined,
    MemberRecovered,
    MemberUpdated,
    NameRegained,
    Origin,
    Rule,
    State,
    Statistics,
)
from swim_core.simulation import Link, Process, Simulation
from swim_core.simulation.bounds import Bounds
from swim_core.simulation.cluster import START_MS
from swim_core.simulation.deliveries import DeliveredOnce, DeliveredToAll
from swim_core.simulation.invariants import (
    DeathsKnown,
    IncarnationsOwned,
    NoFalseDeath,
    QueuesBounded,
    ViewsAgree,
    watch_all,
)
from swim_core.simulation.losses_told import NoneGivenUp, NothingMissedUnsaid
from swim_core.simulation.obstruction import Obstructions
from swim_core.simulation.violation import InvariantViolated

BOUNDS = Bounds(stall_tolerance=5.0, after_obstruction=3.0, death_known=8.0, pending=100)


class Stage:
    """A simulation of five nodes that do nothing by themselves, so that a test can make them do wrong."""

    def __init__(self, size: int = 5) -> None:
        self.simulation = Simulation(1, config=RecordingConfig(), link=Link.exact(0.001))
        self.obstructions = Obstructions(self.simulation)
        self.simulation.watch(self.obstructions)
        self.processes = self.simulation.start_formed(size)

    def node(self, number: int) -> RecordingNode:
        return cast(RecordingNode, self.processes[number].node)

    def tell(self, number: int, *events: Event) -> None:
        """Have a node tell its application something."""
        self.processes[number].do(lambda node, now: cast(RecordingNode, node).told.extend(events))

    def spread(self, *numbers: int) -> None:
        """Have node 0 broadcast, and these nodes receive it."""
        self.simulation.broadcast("node-0", b"news")
        for number in numbers:
            self.tell(number, self.received(0, 1, b"news"))

    def died(self, number: int, accuser: int = 0, age: float = 0.0) -> MemberDied:
        """Dead by a verdict of this many seconds ago."""
        verdict = START_MS + round(1000 * (self.simulation.now - age))
        return MemberDied(
            replace(self.node(number).itself, state=State.DEAD),
            Evidence(rule=None, accuser=self.processes[accuser].name, cluster_time=verdict),
        )

    def received(self, origin: int, number: int, payload: bytes) -> BroadcastReceived:
        itself = self.node(origin).itself
        return BroadcastReceived(Origin(itself.name, itself.epoch, itself.address), number, payload)

    def forget(self, number: int, gone: Process) -> None:
        """Have a node no longer consider a process live."""
        node = self.node(number)
        node.known = tuple(member for member in node.known if member.name != gone.name)


class TestNoFalseDeath:
    @pytest.fixture
    def stage(self) -> Stage:
        stage = Stage()
        stage.simulation.watch(NoFalseDeath(stage.simulation, stage.obstructions, BOUNDS))
        return stage

    def test_the_death_of_one_that_runs_is_found(self, stage: Stage) -> None:
        with pytest.raises(InvariantViolated, match="node-1 was told that node-2 died, which runs"):
            stage.tell(1, stage.died(2))

    def test_the_death_of_one_that_crashed_is_true(self, stage: Stage) -> None:
        stage.simulation.crash("node-2")
        stage.tell(1, stage.died(2))

    def test_a_restarted_run_does_not_make_the_death_of_the_old_one_false(self, stage: Stage) -> None:
        stage.simulation.run_for(1.0)
        stage.simulation.restart("node-2")
        stage.tell(1, stage.died(2))

    @pytest.mark.parametrize(("seconds", "excused"), [(4.0, False), (5.0, True)])
    def test_only_a_stall_over_the_tolerance_excuses(self, stage: Stage, seconds: float, excused: bool) -> None:
        stage.simulation.pause("node-2", seconds)
        stage.simulation.run_for(seconds + 1.0)
        self.expect(stage, excused)

    def test_stalls_in_quick_succession_add_up(self, stage: Stage) -> None:
        for _ in range(2):
            stage.simulation.pause("node-2", 2.5)
            stage.simulation.run_for(3.0)
        self.expect(stage, excused=True)

    def test_an_excuse_grows_stale(self, stage: Stage) -> None:
        stage.simulation.pause("node-2", 20.0)
        stage.simulation.run_for(23.5)
        self.expect(stage, excused=False)

    def test_an_old_verdict_that_comes_late_keeps_its_excuse(self, stage: Stage) -> None:
        stage.simulation.pause("node-2", 20.0)
        stage.simulation.run_for(26.0)
        stage.tell(1, stage.died(2, age=7.0))
        with pytest.raises(InvariantViolated):
            stage.tell(1, stage.died(2))

    def test_a_partition_excuses_once_it_has_lasted(self, stage: Stage) -> None:
        stage.simulation.partition(["node-1"], ["node-2"])
        stage.simulation.run_for(4.0)
        self.expect(stage, excused=False)
        stage.simulation.run_for(1.0)
        self.expect(stage, excused=True)

    def test_cuts_from_fewer_than_three_excuse_nothing(self, stage: Stage) -> None:
        for number in (0, 1):
            stage.simulation.cut(f"node-{number}", "node-2")
        stage.simulation.run_for(9.0)
        self.expect(stage, excused=False)
        stage.simulation.cut("node-2", "node-3")
        stage.simulation.run_for(5.0)
        self.expect(stage, excused=True)

    def test_with_the_others_stalled_a_single_cut_is_enough(self, stage: Stage) -> None:
        stage.simulation.cut("node-1", "node-2")
        for number in (0, 3, 4):
            stage.simulation.pause(f"node-{number}")
        stage.simulation.run_for(5.0)
        self.expect(stage, excused=True)

    def test_in_a_small_part_one_helper_is_enough(self, stage: Stage) -> None:
        stage.simulation.crash("node-4")
        stage.simulation.partition(["node-1", "node-3"])
        stage.simulation.run_for(5.0)
        self.expect(stage, excused=True)

    def test_an_accuser_that_was_cut_off_excuses_what_it_told_others(self, stage: Stage) -> None:
        stage.simulation.partition(["node-0"])
        stage.simulation.run_for(6.0)
        self.expect(stage, excused=True)

    def test_a_member_gives_way_to_a_namesake_only(self, stage: Stage) -> None:
        gave_way = MemberDied(
            replace(stage.node(2).itself, state=State.DEAD),
            Evidence(rule=Rule.RESTARTED, accuser="node-2", cluster_time=0),
        )
        with pytest.raises(InvariantViolated):
            stage.tell(1, gave_way)
        stage.simulation.run_for(1.0)
        stage.simulation.add("node-2", label="another")
        stage.tell(1, gave_way)
        stage.simulation.crash("another")
        stage.tell(3, gave_way)  # news may be late
        with pytest.raises(InvariantViolated):
            stage.tell(1, stage.died(2))

    def expect(self, stage: Stage, excused: bool) -> None:
        if excused:
            stage.tell(1, stage.died(2, accuser=0))
        else:
            with pytest.raises(InvariantViolated):
                stage.tell(1, stage.died(2, accuser=0))


class TestDeathsKnown:
    @pytest.fixture
    def stage(self) -> Stage:
        stage = Stage()
        stage.simulation.watch(DeathsKnown(stage.simulation, stage.obstructions, BOUNDS))
        return stage

    def test_one_that_never_learns_is_found(self, stage: Stage) -> None:
        stage.simulation.crash("node-4")
        for number in (0, 1, 2):
            stage.forget(number, stage.processes[4])
        stage.simulation.run_for(7.9)
        with pytest.raises(InvariantViolated, match=r"node-3 still holds node-4 at"):
            stage.simulation.run_for(1.0)

    def test_all_that_learned_in_time_satisfy_it(self, stage: Stage) -> None:
        stage.simulation.crash("node-4")
        for number in range(4):
            stage.forget(number, stage.processes[4])
        stage.simulation.run_for(10.0)
        stage.simulation.calm()

    def test_a_disturbance_starts_the_bound_anew(self, stage: Stage) -> None:
        stage.simulation.crash("node-4")
        stage.simulation.run_for(5.0)
        stage.simulation.pause("node-0", 2.0)
        stage.simulation.run_for(9.9)
        with pytest.raises(InvariantViolated):
            stage.simulation.run_for(0.2)

    def test_one_that_gave_way_to_a_namesake_need_not_know(self, stage: Stage) -> None:
        stage.simulation.crash("node-4")
        for number in (0, 1, 2):
            stage.forget(number, stage.processes[4])
        stage.node(3).counters = Statistics(superseded=True)
        stage.simulation.run_for(10.0)
        stage.simulation.calm()

    def test_in_the_end_it_must_be_known(self, stage: Stage) -> None:
        stage.simulation.lose_host("node-4")
        with pytest.raises(InvariantViolated):
            stage.simulation.calm()


def test_views_that_differ_in_the_end_are_found() -> None:
    stage = Stage()
    stage.simulation.watch(ViewsAgree(stage.simulation))
    stage.simulation.calm()
    stage.forget(3, stage.processes[1])
    with pytest.raises(InvariantViolated, match=r"node-3 lacks \[\('node-1', .* too much \[\]"):
        stage.simulation.calm()


class TestIncarnationsOwned:
    @pytest.fixture
    def stage(self) -> Stage:
        stage = Stage()
        stage.simulation.watch(IncarnationsOwned(stage.simulation))
        return stage

    def raised(self, stage: Stage, number: int, by: int) -> Member:
        return replace(stage.node(number).itself, incarnation=by)

    def test_an_incarnation_raised_by_another_is_found(self, stage: Stage) -> None:
        with pytest.raises(InvariantViolated, match="that run itself has reached 0"):
            stage.tell(1, MemberUpdated(self.raised(stage, 2, 1)))

    def test_one_raised_by_its_owner_may_be_told_and_outlives_it(self, stage: Stage) -> None:
        raised = self.raised(stage, 2, 1)
        stage.node(2).itself = raised
        stage.tell(1, MemberUpdated(raised))
        stage.simulation.crash("node-2")
        stage.tell(3, MemberDied(raised))

    def test_in_the_end_views_are_searched_too(self, stage: Stage) -> None:
        node = stage.node(3)
        node.known = (*node.known[:2], self.raised(stage, 2, 7), *node.known[3:])
        with pytest.raises(InvariantViolated, match="node-3 holds"):
            stage.simulation.calm()


class TestQueuesBounded:
    @pytest.fixture
    def stage(self) -> Stage:
        stage = Stage()
        stage.simulation.watch(QueuesBounded(stage.simulation, BOUNDS))
        return stage

    def test_a_queue_that_grows_is_found(self, stage: Stage) -> None:
        stage.node(1).counters = Statistics(pending=101)
        for _ in range(QueuesBounded.EVERY - 1):
            stage.tell(1)
        with pytest.raises(InvariantViolated, match="101 items wait at node-1"):
            stage.tell(1)

    @pytest.mark.parametrize("counters", [Statistics(pending=1), Statistics(watches=1)])
    def test_in_the_end_nothing_waits(self, stage: Stage, counters: Statistics) -> None:
        stage.simulation.calm()
        stage.node(1).counters = counters
        with pytest.raises(InvariantViolated, match="node-1"):
            stage.simulation.calm()


class TestDeliveredOnce:
    @pytest.fixture
    def stage(self) -> Stage:
        stage = Stage()
        stage.simulation.watch(DeliveredOnce())
        stage.simulation.broadcast("node-0", b"news")
        return stage

    def test_once_each_is_right(self, stage: Stage) -> None:
        for number in range(1, 5):
            stage.tell(number, stage.received(0, 1, b"news"))

    def test_twice_is_found(self, stage: Stage) -> None:
        with pytest.raises(InvariantViolated, match="node-1 got it twice"):
            stage.tell(1, *[stage.received(0, 1, b"news")] * 2)

    def test_a_delivery_to_the_origin_is_found(self, stage: Stage) -> None:
        with pytest.raises(InvariantViolated, match="node-0 got its own"):
            stage.tell(0, stage.received(0, 1, b"news"))

    def test_a_namesake_is_another_node(self, stage: Stage) -> None:
        stage.simulation.run_for(1.0)
        namesake = stage.simulation.add("node-0", label="another")
        stage.processes.append(namesake)
        stage.tell(5, stage.received(0, 1, b"news"))

    @pytest.mark.parametrize(("origin", "number", "payload"), [(0, 1, b"lies"), (0, 2, b"news"), (2, 1, b"news")])
    def test_what_nobody_sent_is_found(self, stage: Stage, origin: int, number: int, payload: bytes) -> None:
        with pytest.raises(InvariantViolated, match="nobody broadcast"):
            stage.tell(1, stage.received(origin, number, payload))

    def test_what_a_liar_said_before_it_ended_may_still_be_on_its_way(self) -> None:
        stage = Stage()
        stage.simulation.watch(DeliveredOnce(stage.simulation))
        lie = stage.received(2, 9, b"lies")
        with pytest.raises(InvariantViolated, match="nobody broadcast"):
            stage.tell(1, lie)
        stage.simulation.crash("node-2")
        stage.tell(1, lie)


class TestDeliveredToAll:
    @pytest.fixture
    def stage(self) -> Stage:
        stage = Stage()
        stage.simulation.watch(DeliveredToAll(stage.simulation, stage.obstructions))
        stage.simulation.run_for(10.0)
        return stage

    def test_one_that_never_got_it_is_found(self, stage: Stage) -> None:
        stage.spread(1, 2, 3)
        with pytest.raises(InvariantViolated, match="node-4 never got broadcast 1 of node-0"):
            stage.simulation.calm()

    def test_all_that_got_it_satisfy_it(self, stage: Stage) -> None:
        stage.spread(1, 2, 3, 4)
        stage.simulation.calm()

    def test_a_stall_is_no_excuse(self, stage: Stage) -> None:
        stage.spread(1, 2, 3)
        stage.simulation.pause("node-4", 3.0)
        stage.simulation.run_for(4.0)
        with pytest.raises(InvariantViolated):
            stage.simulation.calm()

    @pytest.mark.parametrize(
        "excuse",
        [
            lambda simulation: simulation.partition(["node-4"]),
            lambda simulation: simulation.crash("node-4"),
            lambda simulation: simulation.restart("node-4"),
            lambda simulation: simulation.crash("node-0"),
        ],
        ids=["cut off", "crashed", "restarted", "origin crashed"],
    )
    def test_who_was_not_connected_all_the_time_is_excused(
        self, stage: Stage, excuse: Callable[[Simulation], object]
    ) -> None:
        stage.spread(1, 2, 3)
        stage.simulation.run_for(1.0)
        excuse(stage.simulation)
        stage.simulation.run_for(1.0)
        stage.simulation.heal()
        stage.simulation.calm()

    def test_who_was_declared_dead_is_excused(self, stage: Stage) -> None:
        stage.spread(1, 2, 3)
        stage.tell(2, stage.died(4))
        stage.simulation.calm()

    def test_what_was_sent_before_the_first_sync_need_not_come(self, stage: Stage) -> None:
        stage.tell(4, MemberJoined(stage.node(0).itself))
        stage.simulation.run_for(2.0)
        stage.spread(1, 2, 3)
        stage.simulation.calm()
        stage.simulation.run_for(1.5)
        stage.simulation.broadcast("node-0", b"more")
        for number in (1, 2, 3):
            stage.tell(number, stage.received(0, 2, b"more"))
        with pytest.raises(InvariantViolated, match="node-4 never got broadcast 2"):
            stage.simulation.calm()

    @pytest.mark.parametrize(("lossless", "count", "found"), [(True, 1, True), (False, 1, False), (False, 0, True)])
    def test_to_give_up_is_no_excuse_unless_it_was_said_and_loss_is_allowed(
        self, lossless: bool, count: int, found: bool
    ) -> None:
        stage = Stage()
        stage.simulation.watch(DeliveredToAll(stage.simulation, stage.obstructions, lossless=lossless))
        stage.simulation.run_for(10.0)
        stage.spread(1, 2, 3)
        stage.tell(4, BroadcastsLost(stage.received(0, 1, b"").origin, count))
        with pytest.raises(InvariantViolated) if found else nullcontext():
            stage.simulation.calm()

    def test_who_was_not_known_is_not_waited_for(self, stage: Stage) -> None:
        stage.forget(0, stage.processes[4])
        stage.spread(1, 2, 3)
        stage.simulation.calm()


def test_all_of_them_watch_together() -> None:
    stage = Stage()
    watch_all(stage.simulation, BOUNDS)
    stage.simulation.calm()
    with pytest.raises(InvariantViolated):
        stage.tell(1, stage.died(2))


class TestNoneGivenUp:
    @pytest.fixture
    def stage(self) -> Stage:
        stage = Stage()
        stage.simulation.watch(NoneGivenUp(stage.simulation))
        stage.simulation.run_for(10.0)
        stage.simulation.broadcast("node-0", b"news")
        stage.tell(1, stage.received(0, 1, b"news"))
        return stage

    def lose(self, stage: Stage, count: int = 1) -> None:
        stage.tell(4, BroadcastsLost(stage.received(0, 1, b"").origin, count))

    def test_what_another_keeps_must_not_be_given_up(self, stage: Stage) -> None:
        stage.simulation.crash("node-0")
        with pytest.raises(InvariantViolated, match="node-4 gave up 1 broadcasts of node-0: 0 of them"):
            self.lose(stage)

    def test_what_nobody_keeps_is_lost(self, stage: Stage) -> None:
        stage.simulation.crash("node-0")
        stage.simulation.crash("node-1")
        self.lose(stage)

    def test_what_was_sent_long_ago_is_lost(self, stage: Stage) -> None:
        stage.simulation.run_for(60.0)
        self.lose(stage)
        with pytest.raises(InvariantViolated):
            self.lose(stage, 2)

    def test_requests_that_could_not_pass_are_excused_and_counted(self, stage: Stage) -> None:
        stage.simulation.partition(["node-4"])
        stage.simulation.heal()
        self.lose(stage)
        assert stage.simulation.excused["losses told"] == 1

    def test_who_gave_way_to_a_namesake_is_answered_by_nobody(self, stage: Stage) -> None:
        stage.node(4).counters = Statistics(superseded=True)
        self.lose(stage)


class TestNothingMissedUnsaid:
    @pytest.fixture
    def stage(self) -> Stage:
        stage = Stage()
        stage.simulation.watch(NothingMissedUnsaid(stage.simulation))
        stage.simulation.run_for(10.0)
        return stage

    def test_a_cut_is_no_excuse(self, stage: Stage) -> None:
        stage.simulation.partition(["node-4"])
        stage.spread(1, 2, 3)
        stage.simulation.run_for(1.0)
        stage.simulation.heal()
        stage.simulation.run_for(4.9)
        with pytest.raises(InvariantViolated, match="node-4 missed 1 broadcasts of node-0, 1, and was told of 0 lost"):
            stage.simulation.run_for(0.2)

    def test_nor_is_that_it_was_declared_dead(self, stage: Stage) -> None:
        stage.spread(1, 2, 3)
        stage.tell(2, stage.died(4))
        with pytest.raises(InvariantViolated, match="node-4 missed"):
            stage.simulation.calm()

    def test_what_was_told_lost_was_not_missed_unsaid(self, stage: Stage) -> None:
        stage.spread(1, 2, 3)
        stage.tell(4, BroadcastsLost(stage.received(0, 1, b"").origin, 1))
        stage.simulation.calm()

    @pytest.mark.parametrize(("held", "found"), [(True, True), (False, False)])
    def test_of_an_origin_that_ended_what_others_hold_must_come(self, stage: Stage, held: bool, found: bool) -> None:
        stage.spread(*([1, 2, 3] if held else []))
        stage.simulation.crash("node-0")
        with pytest.raises(InvariantViolated, match="node-4 missed") if found else nullcontext():
            stage.simulation.calm()

    @pytest.mark.parametrize(
        ("in_the_cut", "told", "found"), [(True, False, False), (True, True, True), (False, False, True)]
    )
    def test_who_was_never_told_of_a_run_that_came_and_went_in_a_cut_need_not_hear_of_it(
        self, stage: Stage, in_the_cut: bool, told: bool, found: bool
    ) -> None:
        if in_the_cut:
            stage.simulation.partition(["node-4"])
        brief = stage.simulation.add("brief", join=["node-0"])
        stage.simulation.run_for(5.0)
        stage.simulation.broadcast(brief, b"news")
        local = brief.node.local
        stage.tell(1, BroadcastReceived(Origin(local.name, local.epoch, local.address), 1, b"news"))
        if told:
            stage.tell(4, MemberRecovered(local))
        stage.simulation.crash(brief)
        stage.simulation.heal()
        for number in (0, 2, 3):
            stage.tell(number, BroadcastsLost(Origin(local.name, local.epoch, local.address), 1))
        with pytest.raises(InvariantViolated, match="node-4 missed") if found else nullcontext():
            stage.simulation.calm()

    def test_who_has_its_name_back_begins_anew(self, stage: Stage) -> None:
        stage.spread(1, 2, 3)
        stage.tell(4, NameRegained(stage.node(4).itself))
        stage.simulation.calm()

    def test_what_was_made_before_it_came_need_not_come_and_is_counted(self, stage: Stage) -> None:
        stage.spread(1, 2, 3)
        stage.simulation.crash("node-4")
        stage.simulation.restart("node-4")
        stage.simulation.calm()
        assert stage.simulation.excused["broadcasts"] == 1
        assert stage.simulation.judged["broadcasts"] == 3


def test_metadata_that_is_not_what_its_owner_said_are_found() -> None:
    stage = Stage()
    stage.simulation.watch(ViewsAgree(stage.simulation))
    stage.simulation.update_metadata("node-1", {"mood": "good"})
    with pytest.raises(InvariantViolated, match=r"holds node-1 with \{\}, and that one said \{'mood': 'good'\}"):
        stage.simulation.calm()


def test_an_end_is_known_at_last_whatever_befalls_others() -> None:
    stage = Stage()
    stage.simulation.watch(DeathsKnown(stage.simulation, stage.obstructions, BOUNDS))
    stage.simulation.crash("node-4")
    for _ in range(5):
        stage.simulation.run_for(5.0)
        stage.simulation.pause("node-0", 1.0)
    assert stage.simulation.excused["ends known in time"] > 0
    with pytest.raises(InvariantViolated, match="still holds"):
        stage.simulation.run_for(5.1)
