"""An attacker without a key reads every path, and tells kernels that nobody listens: their reports have no seal."""

from collections import Counter

from support.outsider import KEY, Outsider
from swim_core import Address, KernelEvidence, MemberDied, MemberRecovered
from swim_core.simulation import Link, Process, Simulation

BEFORE = 0.0001  # seconds from a datagram to the forged refusals, sooner than any answer comes


class Refuser(Outsider):
    """Forges, for each datagram, an ICMP message that quotes it, and a reset as if a connection had been tried."""

    def __init__(self, simulation: Simulation) -> None:
        super().__init__(simulation)
        self._simulation = simulation
        self.at_work = True

    def on_send(self, process: Process, destination: Address, payload: bytes) -> None:
        super().on_send(process, destination, payload)
        if self.at_work:
            self._simulation.after(BEFORE, lambda: self._refuse(process, destination, payload[:500]))

    def _refuse(self, process: Process, destination: Address, quoted: bytes) -> None:
        for kind, quote in ((KernelEvidence.REFUSED_UDP, quoted), (KernelEvidence.REFUSED_TCP, b"")):
            process.do(lambda node, now, kind=kind, quote=quote: node.feed_evidence(kind, destination, quote, now=now))  # type: ignore[misc]


def test_members_are_hardly_ever_believed_dead_and_sent_next_to_nothing_more() -> None:
    """At the very first a forger may be faster than the member; then it is known to lie."""
    with Simulation(1, keys=KEY, tripwires=True, link=Link.exact(0.0005)) as simulation:
        simulation.form(8)
        simulation.run_for(5.0)
        refuser = Refuser(simulation)
        simulation.run_for(2.0)
        assert simulation.agreed()
        kinds = Counter(map(type, refuser.events))
        assert kinds[MemberDied] == kinds[MemberRecovered] <= 4 * 7
        refuser.events.clear()
        refuser.recorded.clear()
        simulation.run_for(20.0)
        assert refuser.events == []
        assert len(refuser.recorded) < 8 * 20 * 10


def test_a_newcomer_is_let_in_everywhere_and_a_crash_is_found_meanwhile_and_afterwards() -> None:
    with Simulation(2, keys=KEY, tripwires=True, link=Link.exact(0.0005)) as simulation:
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
