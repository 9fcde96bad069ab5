"""An attacker without a key reads every path and tells kernels that nobody listens: their reports have no seal."""

import pytest

from support.outsider import KEY, Outsider
from swim_core import Address, KernelEvidence, MemberDied
from swim_core.simulation import Link, Process, Simulation

WAY = 0.0005  # seconds
BEFORE = 0.0001  # seconds from a datagram to the forged refusals, sooner than any answer comes


class Refuser(Outsider):
    """Forges, for each datagram, an ICMP message that quotes it, and a reset as if a connection had been tried."""

    def __init__(self, simulation: Simulation, after: float = BEFORE) -> None:
        super().__init__(simulation)
        self._simulation = simulation
        self._after = after
        self.at_work = True

    def on_send(self, process: Process, destination: Address, payload: bytes) -> None:
        super().on_send(process, destination, payload)
        if self.at_work:
            self._simulation.after(self._after, lambda: self._refuse(process, destination, payload[:500]))

    def _refuse(self, process: Process, destination: Address, quoted: bytes) -> None:
        for kind, quote in ((KernelEvidence.REFUSED_UDP, quoted), (KernelEvidence.REFUSED_TCP, b"")):
            process.do(lambda node, now, kind=kind, quote=quote: node.feed_evidence(kind, destination, quote, now=now))  # type: ignore[misc]


@pytest.mark.parametrize("after", [BEFORE, 1.5 * WAY, 1.99 * WAY], ids=["at once", "later", "just before the answer"])
@pytest.mark.parametrize("members", [2, 3, 8])
def test_nobody_is_believed_dead_from_the_first_moment_on_and_members_send_next_to_nothing_more(
    members: int, after: float
) -> None:
    """A verdict needs another's vote or a second refusal: the answer to the first ping comes sooner."""
    with Simulation(1, keys=KEY, tripwires=True, link=Link.exact(WAY)) as simulation:
        simulation.form(members)
        simulation.run_for(5.0)
        refuser = Refuser(simulation, after)
        simulation.run_for(2.0)
        assert refuser.events == []
        assert simulation.agreed()
        refuser.recorded.clear()
        simulation.run_for(20.0)
        assert refuser.events == []
        assert len(refuser.recorded) < members * 20 * 10


def test_nor_where_answers_are_lost_at_times() -> None:
    """Once refusals turned out to be false, they wait for the answer to the latest ping."""
    for seed in range(8):
        with Simulation(seed, keys=KEY, tripwires=True, link=Link(loss=0.05)) as simulation:
            simulation.form(2)
            simulation.run_for(5.0)
            refuser = Refuser(simulation, 0.0003)
            simulation.run_for(20.0)
            assert refuser.events == [], seed


@pytest.mark.parametrize("members", [2, 8])
def test_a_true_crash_is_known_two_round_trips_later_at_most(members: int) -> None:
    with Simulation(1, keys=KEY, tripwires=True, link=Link.exact(WAY)) as simulation:
        simulation.form(members)
        simulation.run_for(5.0)
        outsider = Outsider(simulation)
        simulation.crash("node-1")
        simulation.run_for(0.002 + 5 * WAY + 2 * 2 * WAY)  # taken down; as without keys; and as long as an answer takes
        dead = [event.member.name for event in outsider.events if isinstance(event, MemberDied)]
        assert dead == ["node-1"] * (members - 1)


def test_a_newcomer_is_let_in_everywhere_and_a_crash_is_found_meanwhile_and_afterwards() -> None:
    with Simulation(2, keys=KEY, tripwires=True, link=Link.exact(WAY)) as simulation:
        simulation.form(8)
        simulation.run_for(5.0)
        refuser = Refuser(simulation)
        simulation.run_for(2.0)
        simulation.add("late", join=["node-0"])
        simulation.run_until(simulation.agreed, 3.0)
        for number, at_work in ((3, True), (4, False)):
            refuser.at_work = at_work
            refuser.events.clear()
            simulation.crash(f"node-{number}")
            simulation.run_until(simulation.agreed, 3.0)
            dead = {event.member.name for event in refuser.events if isinstance(event, MemberDied)}
            assert dead == {f"node-{number}"}


@pytest.mark.parametrize("age", [3.0, 10.0])
def test_a_kill_in_a_young_cluster_with_keys_does_not_wait_for_a_median_of_round_trips(age: float) -> None:
    for seed in range(8):
        with Simulation(seed, keys=KEY, tripwires=True) as simulation:
            simulation.start_formed(16)
            simulation.run_for(age)
            simulation.crash("node-3")
            simulation.run_for(0.05)
            assert all(process.told(MemberDied, "node-3") for process in simulation.running()), seed
