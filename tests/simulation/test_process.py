"""Simulated processes run their nodes as an adapter does, and stall, crash and restart as processes do."""

from typing import Any, cast

import pytest

from support.recording import RecordingConfig, RecordingNode
from swim_core import Address, Datagram, Event, KernelEvidence, Reconnected
from swim_core.simulation import Link, Observer, Process, Simulation, SimulationError, Stop

EXACT = Link.exact(0.001)


def simulate(seed: int = 1, link: Link = EXACT) -> Simulation:
    return Simulation(seed, config=RecordingConfig(), link=link)


def node_of(process: Process) -> RecordingNode:
    return cast(RecordingNode, process.node)


def wants_tick(process: Process, after: float, repeat: float | None = None) -> None:
    def ask(node: Any, now: float) -> None:
        node.deadline, node.repeat = now + after, repeat

    process.do(ask)


def sends(process: Process, to: Process, *payloads: bytes) -> None:
    process.do(lambda node, now: cast(RecordingNode, node).out.extend(Datagram(p, to.address) for p in payloads))


def test_a_tick_comes_at_the_deadline_and_not_before() -> None:
    simulation = simulate()
    process = simulation.add("a")
    start = process.clock
    wants_tick(process, 3.5)
    assert simulation.step()
    assert simulation.now == pytest.approx(3.5)
    assert node_of(process).times("tick") == [pytest.approx(start + 3.5)]
    assert not simulation.step()  # no deadline, nothing on its way: nothing ever happens


def test_idle_time_costs_nothing() -> None:
    simulation = simulate()
    wants_tick(simulation.add("a"), 1e6)
    simulation.run_for(2e6)
    assert simulation.now == 2e6


@pytest.mark.parametrize(("first", "second"), [(5.0, 2.0), (2.0, 5.0)])
def test_a_deadline_that_moves_leaves_one_tick(first: float, second: float) -> None:
    simulation = simulate()
    process = simulation.add("a")
    start = process.clock
    wants_tick(process, first)
    wants_tick(process, second)
    simulation.run_for(10.0)
    assert node_of(process).times("tick") == [pytest.approx(start + second)]


def test_a_node_that_never_advances_its_deadline_is_found_out() -> None:
    with simulate() as simulation:
        wants_tick(simulation.add("a"), 1.0, repeat=0.0)
        with pytest.raises(SimulationError, match="never moves on") as caught:
            simulation.run_for(2.0)
    assert "at 1.000000 s of virtual time; replay: Simulation(seed=1)" in caught.value.__notes__


def test_what_arrived_is_fed_before_the_tick_of_the_same_instant() -> None:
    simulation = simulate()
    a, b = simulation.add("a"), simulation.add("b")
    b_node = node_of(b)
    wants_tick(b, 0.001)
    sends(a, b, b"x")
    simulation.run_for(1.0)
    assert [kind for kind, _, _ in b_node.calls if kind != "join"] == ["datagram", "tick"]


def test_clocks_of_processes_agree_with_nobody() -> None:
    simulation = simulate()
    a, b = simulation.add("a"), simulation.add("b")
    assert abs(a.clock - b.clock) > 1
    assert node_of(a).unix_ms != node_of(b).unix_ms
    assert node_of(a).entropy != node_of(b).entropy
    assert abs(node_of(a).unix_ms - node_of(b).unix_ms) <= 40


def test_a_stalled_process_finds_its_datagrams_when_it_wakes_and_then_the_clock() -> None:
    simulation = simulate()
    a, b = simulation.add("a"), simulation.add("b")
    wants_tick(b, 1.0)
    start = b.clock
    simulation.pause(b, 3.0)
    simulation.run_for(0.5)
    sends(a, b, b"1", b"2")
    simulation.run_for(2.0)
    assert not node_of(b).heard("datagram")
    simulation.run_for(1.0)
    calls = [(kind, now) for kind, _, now in node_of(b).calls if kind in ("datagram", "tick")]
    assert [kind for kind, _ in calls] == ["datagram", "datagram", "tick"]
    assert [now for _, now in calls] == pytest.approx([start + 3.0] * 3)


def test_refusals_queue_at_a_stalled_process_too() -> None:
    simulation = simulate()
    a, b = simulation.add("a"), simulation.add("b")
    simulation.crash(b)
    simulation.run_for(0.002)
    sends(a, b, b"x")
    simulation.pause(a, 1.0)
    simulation.run_for(0.5)
    assert not node_of(a).heard("evidence")
    simulation.run_for(1.0)
    assert node_of(a).heard("evidence") == [(KernelEvidence.REFUSED_UDP, b.address, b"x")]


def test_the_buffer_of_a_stalled_process_is_bounded() -> None:
    simulation = simulate()
    a, b = simulation.add("a"), simulation.add("b")
    simulation.pause(b, 1.0)
    sends(a, b, *[b"x"] * 1_000)
    simulation.run_for(2.0)
    assert len(node_of(b).heard("datagram")) == 256


def test_the_longer_of_two_stalls_wins_and_resume_ends_any() -> None:
    simulation = simulate()
    process = simulation.add("a")
    simulation.pause(process, 5.0)
    simulation.pause(process, 1.0)
    simulation.run_for(2.0)
    assert process.paused
    simulation.run_for(4.0)
    assert not process.paused
    simulation.pause(process)
    simulation.run_for(1_000.0)
    assert process.paused
    simulation.resume(process)
    assert not process.paused


def test_a_stalled_or_ended_process_can_do_nothing() -> None:
    simulation = simulate()
    process = simulation.add("a")
    simulation.pause(process)
    with pytest.raises(SimulationError, match="stalled"):
        simulation.broadcast("a", b"x")
    simulation.crash("a")
    with pytest.raises(SimulationError, match="running"):
        simulation.broadcast("a", b"x")
    with pytest.raises(SimulationError, match="running"):
        simulation.crash("nobody")


def test_a_crash_is_refused_unless_something_keeps_refusals_back() -> None:
    simulation = simulate()
    a, b, c = (simulation.add(name) for name in "abc")
    simulation.crash(b)
    simulation.crash(c, refusals=False)
    simulation.run_for(0.002)
    sends(a, b, b"to b")
    sends(a, c, b"to c")
    simulation.run_for(1.0)
    assert node_of(a).heard("evidence") == [(KernelEvidence.REFUSED_UDP, b.address, b"to b")]
    assert not node_of(b).heard("datagram")


def test_a_kernel_takes_what_comes_until_it_has_closed_the_sockets_of_a_killed_process() -> None:
    simulation = simulate()
    a, b = simulation.add("a"), simulation.add("b")
    simulation.crash(b)
    assert simulation.network.accepts(b.address)
    sends(a, b, b"too early")
    simulation.run_for(0.002)
    assert not simulation.network.accepts(b.address)
    sends(a, b, b"refused")
    simulation.run_for(1.0)
    assert node_of(a).heard("evidence") == [(KernelEvidence.REFUSED_UDP, b.address, b"refused")]
    assert not node_of(b).heard("datagram")
    simulation.restart(b)
    assert simulation.network.accepts(b.address)


def test_a_lost_host_takes_all_its_processes_and_comes_back_with_the_first() -> None:
    simulation = simulate()
    a, b = simulation.add("a"), simulation.add("b")
    beside = simulation.add("beside", address=(b.address.host, 1234))
    simulation.lose_host("b")
    assert simulation.running() == [a]
    sends(a, b, b"x")
    sends(a, beside, b"x")
    simulation.run_for(1.0)
    assert not node_of(a).heard("evidence")
    again = simulation.restart("b")
    sends(a, again, b"y")
    sends(a, beside, b"y")
    simulation.run_for(1.0)
    assert node_of(again).heard("datagram") == [(b"y", a.address)]
    assert len(node_of(a).heard("evidence")) == 1


def test_a_restart_is_a_new_run_at_the_same_address_by_the_wall_clock() -> None:
    simulation = simulate()
    a = simulation.add("a")
    b = simulation.add("b", join=["a", ("10.9.9.9", 5)])
    simulation.run_for(10.0)
    simulation.step_clock("b", wall=-86_400.0)
    again = simulation.restart("b")
    assert again is simulation.process("b")
    assert (again.run, again.address, again.seeds) == (1, b.address, b.seeds)
    assert not b.running
    assert node_of(again).heard("join") == [(a.address, Address("10.9.9.9", 5))]
    assert node_of(again).unix_ms == pytest.approx(node_of(b).unix_ms + 10_000 - 86_400_000, abs=1)
    assert node_of(again).entropy != node_of(b).entropy


def test_a_monotonic_clock_that_jumps_brings_the_tick_at_once() -> None:
    simulation = simulate()
    process = simulation.add("a")
    start = process.clock
    wants_tick(process, 50.0)
    simulation.run_for(1.0)
    simulation.step_clock("a", monotonic=100.0)
    simulation.run_for(1.0)
    assert node_of(process).times("tick") == [pytest.approx(start + 101.0)]


def test_a_leaver_lingers_until_it_has_said_so() -> None:
    simulation = simulate()
    process = simulation.add("a")
    simulation.leave("a")
    simulation.run_for(0.2)
    assert process.running
    simulation.run_for(0.1)
    assert not process.running
    assert simulation.faults == {"left": 1}


def test_two_processes_may_share_a_name_but_not_a_label() -> None:
    simulation = simulate()
    simulation.add("a")
    twin = simulation.add("a", label="twin")
    assert (twin.name, twin.label) == ("a", "twin")
    with pytest.raises(SimulationError, match="is running"):
        simulation.add("b", label="twin")


def test_a_formed_cluster_knows_itself_without_a_datagram() -> None:
    simulation = simulate()
    processes = simulation.start_formed(5)
    assert simulation.agreed()
    assert simulation.network.traffic.sent == 0
    assert all(len(process.seeds) == 3 and process.address not in process.seeds for process in processes)
    assert node_of(processes[0]).known[0] is node_of(processes[1]).known[0]


def test_a_predicate_that_never_holds_is_given_up_with_the_seed() -> None:
    simulation = simulate(seed=42)
    with pytest.raises(TimeoutError, match="not within") as caught:
        simulation.run_until(lambda: False, limit=2.0)
    assert "replay: Simulation(seed=42)" in caught.value.__notes__[0]
    assert simulation.now == 2.0


def test_an_exception_in_the_block_carries_the_seed() -> None:
    with pytest.raises(ZeroDivisionError) as caught, simulate(seed=3) as simulation:
        simulation.run_for(1 / 0)
    assert caught.value.__notes__ == ["at 0.000000 s of virtual time; replay: Simulation(seed=3)"]


def test_a_script_of_faults_runs_on_time() -> None:
    simulation = simulate()
    simulation.add("a")
    simulation.at(2.0, simulation.crash, "a")
    simulation.after(3.0, simulation.restart, "a")
    simulation.run_for(2.5)
    assert not simulation.running()
    simulation.run_for(1.0)
    assert simulation.process("a").started == 3.0


class Diary(Observer):
    """Records every hook that is called."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def on_start(self, process: Process) -> None:
        self.lines.append(f"start {process.label}.{process.run}")

    def on_stop(self, process: Process, how: Stop) -> None:
        self.lines.append(f"{how.value} {process.label}")

    def on_pause(self, process: Process) -> None:
        self.lines.append(f"pause {process.label}")

    def on_wake(self, process: Process) -> None:
        self.lines.append(f"wake {process.label}")

    def on_network(self) -> None:
        self.lines.append("network")

    def on_broadcast(self, process: Process, number: int, payload: bytes) -> None:
        self.lines.append(f"broadcast {process.label} {number} {payload.decode()}")

    def on_event(self, process: Process, event: Event) -> None:
        self.lines.append(f"event {process.label} {type(event).__name__}")

    def on_turn(self, process: Process) -> None:
        self.lines.append(f"turn {process.label}")

    def on_calm(self) -> None:
        self.lines.append("calm")


def test_observers_hear_of_everything() -> None:
    simulation = simulate()
    a = simulation.add("a")
    diary = Diary()
    simulation.watch(diary)
    simulation.add("b")
    simulation.broadcast("a", b"hi")
    node_of(a).told.append(Reconnected())
    wants_tick(a, 1.0)
    simulation.pause("a", 1.0)
    simulation.pause("a", 2.0)
    simulation.partition(["a"])
    simulation.cut("a", "b")
    simulation.mend("a", "b")
    simulation.heal()
    simulation.set_link(Link())
    simulation.run_for(3.0)
    simulation.restart("b")
    simulation.leave("b")
    simulation.run_for(1.0)
    simulation.calm()
    assert diary.lines == [
        *("start a.0", "start b.0", "turn b", "turn a", "broadcast a 1 hi", "event a Reconnected", "turn a"),
        *("pause a", "network", "network", "network", "network", "network", "wake a", "turn a"),
        *("crashed b", "start b.1", "turn b", "turn b", "turn b", "left b", "calm"),
    ]
    assert simulation.faults == {"pause": 2, "partition": 1, "cut": 1, "crashed": 1, "restart": 1, "left": 1}
    assert a.times(Reconnected) == [0.0]
