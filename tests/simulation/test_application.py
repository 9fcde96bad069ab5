"""Applications on simulated nodes: they get events, act through the node, set timers, and share its fate."""

from typing import Any

import pytest

from swim_core import (
    BroadcastReceived,
    Event,
    MemberDied,
    MemberJoined,
    MessageReceived,
    NotRunning,
    PayloadTooLarge,
    UnknownMember,
)
from swim_core.simulation import Harm, Link, SimulatedNode, Simulation, watch_all


class Diary:
    """Records its events, and when they came."""

    def __init__(self, node: SimulatedNode) -> None:
        self.node = node
        self.started = [member.name for member in node.members()]
        self.told: list[Event] = []
        self.rang: list[tuple[str, float]] = []

    def on_event(self, event: Event) -> None:
        self.told.append(event)

    def ring(self, what: str) -> None:
        self.rang.append((what, self.node.clock()))


class Echo(Diary):
    """Answers each broadcast with a message to its origin, and each message with a broadcast."""

    def on_event(self, event: Event) -> None:
        super().on_event(event)
        match event:
            case BroadcastReceived(origin=origin, payload=b"who is there?"):
                self.node.send(origin.name, f"I, {self.node.local.name}".encode())
            case MessageReceived(payload=payload):
                self.node.broadcast(b"heard: " + payload)


def of(simulation: Simulation, name: str) -> Any:
    return simulation.process(name).application


def test_an_application_is_told_what_its_node_tells() -> None:
    with Simulation(1, application=Diary) as simulation:
        simulation.form(4)
        simulation.crash("node-3")
        simulation.run_for(5.0)
        for name in ("node-0", "node-1", "node-2"):
            diary = of(simulation, name)
            assert diary.started == [name]
            assert {event.member.name for event in diary.told if isinstance(event, MemberJoined)} == {
                f"node-{number}" for number in range(4)
            } - {name}
            assert [event.member.name for event in diary.told if isinstance(event, MemberDied)] == ["node-3"]
            process = simulation.process(name)
            assert diary.told == [event for _, event in process.events]
            assert process.told(MemberDied, "node-3") == process.told(MemberDied)
            assert not process.told(MemberDied, name)


def test_an_application_acts_on_what_it_is_told() -> None:
    with Simulation(1, application=Echo) as simulation:
        watch_all(simulation)
        simulation.form(3)
        of(simulation, "node-0").node.broadcast(b"who is there?")
        simulation.run_for(1.0)
        told = {event.payload for event in of(simulation, "node-0").told if isinstance(event, MessageReceived)}
        assert told == {b"I, node-1", b"I, node-2"}
        heard = [event.payload for event in of(simulation, "node-1").told if isinstance(event, BroadcastReceived)]
        assert heard == [b"who is there?", *sorted(heard[1:], key=heard.index)]
        assert set(heard[1:]) == {b"heard: I, node-1", b"heard: I, node-2"}
        simulation.run_for(10.0)
        simulation.calm()


def test_where_a_cluster_starts_formed_applications_find_all_members_there() -> None:
    with Simulation(1, application=Diary) as simulation:
        simulation.start_formed(5)
        simulation.run_for(5.0)
        assert all(process.application.started == [f"node-{n}" for n in range(5)] for process in simulation.running())
        assert not any(process.application.told for process in simulation.running())


def test_each_run_has_an_application_of_its_own() -> None:
    with Simulation(1, application=Diary) as simulation:
        simulation.form(3)
        before = of(simulation, "node-1")
        simulation.restart("node-1")
        simulation.run_for(3.0)
        after = of(simulation, "node-1")
        assert after is not before
        assert {event.member.name for event in after.told if isinstance(event, MemberJoined)} == {"node-0", "node-2"}


def test_a_process_may_run_another_application_and_keeps_it() -> None:
    with Simulation(1, application=Diary) as simulation:
        simulation.add("a")
        simulation.add("b", join=["a"], application=Echo)
        assert type(simulation.restart("b").application) is Echo
        assert type(of(simulation, "a")) is Diary


class TestTimers:
    def test_ring_once_at_their_time_by_the_clock_of_the_process(self) -> None:
        with Simulation(1, application=Diary) as simulation:
            diary = simulation.add("a").application
            start = diary.node.clock()
            diary.node.after(2.0, diary.ring, "second")
            diary.node.after(1.0, diary.ring, "first")
            diary.node.after(1.5, diary.ring, "never").cancel()
            simulation.run_for(10.0)
            assert diary.rang == [("first", pytest.approx(start + 1.0)), ("second", pytest.approx(start + 2.0))]

    def test_wait_for_a_stall_to_end_and_for_what_arrived_in_it(self) -> None:
        with Simulation(1, application=Diary, link=Link.exact(0.001)) as simulation:
            simulation.form(2)
            diary = of(simulation, "node-1")
            diary.node.after(1.0, lambda: diary.ring(f"after {len(diary.told)}"))
            told = len(diary.told)
            simulation.pause("node-1", 2.0)  # too short to be reported
            simulation.run_for(0.5)
            simulation.broadcast("node-0", b"news")
            simulation.run_for(1.4)
            assert not diary.rang
            simulation.run_for(0.6)
            assert [what for what, _ in diary.rang] == [f"after {told + 1}"]

    def test_end_with_the_process(self) -> None:
        with Simulation(1, application=Diary) as simulation:
            diary = simulation.add("a").application
            diary.node.after(1.0, diary.ring, "never")
            simulation.crash("a")
            simulation.restart("a")
            simulation.run_for(5.0)
            assert not diary.rang

    def test_follow_a_clock_that_jumps(self) -> None:
        with Simulation(1, application=Diary) as simulation:
            diary = simulation.add("a").application
            diary.node.after(60.0, diary.ring, "early")
            simulation.step_clock("a", monotonic=59.0)
            simulation.run_for(1.1)
            assert [what for what, _ in diary.rang] == ["early"]

    def test_may_set_timers(self) -> None:
        with Simulation(1, application=Diary) as simulation:
            diary = simulation.add("a").application

            def again(left: int) -> None:
                diary.ring(str(left))
                if left:
                    diary.node.after(1.0, again, left - 1)

            diary.node.after(1.0, again, 2)
            simulation.run_for(10.0)
            assert [what for what, _ in diary.rang] == ["2", "1", "0"]


def test_an_application_may_leave() -> None:
    class Shy(Diary):
        def on_event(self, event: Event) -> None:
            if isinstance(event, MemberJoined):
                self.node.leave()

    with Simulation(1) as simulation:
        simulation.add("a")
        shy = simulation.add("b", join=["a"], application=Shy)
        simulation.run_for(2.0)
        assert not shy.running
        assert [member.name for member in simulation.process("a").node.members()] == ["a"]


def test_mistakes_of_an_application_are_raised_where_it_makes_them_and_end_the_run_where_it_lets_them() -> None:
    class Careless(Diary):
        def on_event(self, event: Event) -> None:
            if isinstance(event, MemberJoined):
                self.node.send("nobody", b"")

    with Simulation(9) as simulation:
        node = simulation.add("a", application=Diary).application.node
        with pytest.raises(PayloadTooLarge):
            node.broadcast(bytes(100_000))
        simulation.add("b", join=["a"], application=Careless)
        with pytest.raises(UnknownMember) as caught:
            simulation.run_for(5.0)
        assert "replay: Simulation(seed=9)" in caught.value.__notes__[-1]
        simulation.leave("a")
        with pytest.raises(NotRunning):
            node.broadcast(b"too late")


def test_randomness_of_applications_comes_from_the_seed() -> None:
    def drawn(seed: int) -> list[float]:
        with Simulation(seed, application=Diary) as simulation:
            return [simulation.add(name).application.node.random.random() for name in ("a", "b")]

    first, again, other = drawn(1), drawn(1), drawn(2)
    assert first == again != other
    assert first[0] != first[1]


def test_the_nouns_of_the_node() -> None:
    with Simulation(1, application=Diary) as simulation:
        simulation.form(2)
        node = of(simulation, "node-0").node
        node.update_metadata({"role": "cache"})
        simulation.run_for(1.0)
        assert of(simulation, "node-1").node.member("node-0").metadata == {"role": "cache"}
        assert node.explain("node-1") is not None
        assert node.explain("nobody") is None
        assert repr(node) == "<SimulatedNode node-0 at 10.0.0.1:7946>"
        node.join([("10.0.0.2", 7946)])


def test_random_harm_is_a_function_of_the_seed_and_applications_go_through_it() -> None:
    def harmed(seed: int) -> tuple[str, dict[str, int]]:
        with Simulation(seed, application=Echo) as simulation:
            watch_all(simulation)
            simulation.form(6)
            acts = [(2, Harm.crash), (4, Harm.restart), (2, Harm.partition), (3, Harm.heal), (3, Harm.broadcast)]
            harm = Harm(simulation, acts, longest_stall=4.0)
            harm.play(seconds=20.0)
            harm.end()
            simulation.run_until(simulation.agreed, limit=120.0)
            assert all(isinstance(process.application, Echo) for process in simulation.running())
            return simulation.digest, dict(simulation.faults)

    first, again, other = harmed(1), harmed(1), harmed(2)
    assert first == again != other
    assert first[1]["broadcast"] > 0


def test_a_member_moves_to_another_address_with_its_application() -> None:
    with Simulation(1, application=Diary) as simulation:
        simulation.form(3)
        old = simulation.process("node-2")
        new = simulation.move("node-2")
        assert new.address not in {process.address for process in simulation.running() if process is not new}
        assert new.address != old.address
        simulation.run_until(simulation.agreed, limit=5.0)
        assert simulation.process("node-0").node.member("node-2").address == new.address  # type: ignore[union-attr]
        assert simulation.named("node-2") == (new,)
        assert isinstance(new.application, Diary)
