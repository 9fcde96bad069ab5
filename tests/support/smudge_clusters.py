"""Clusters of Smudge nodes in simulation, and what is asked of them."""

from swim_core import BroadcastReceived, MemberDied, MemberRecovered, MemberSuspected, ProtocolConfig
from swim_core.simulation import Link, Simulation
from swim_core.simulation.deliveries import DeliveredOnce
from swim_core.smudge import SmudgeConfig

__all__ = ["CONFIG", "I", "cluster", "delays", "flaps", "formed"]


I = 0.5  # noqa: E741  # the interval, seconds


CONFIG = SmudgeConfig(multicast_enabled=False)


def formed(nodes: int, seed: int, loss: float = 0.0, rest: float = 8.0) -> Simulation:
    """A cluster whose members have met, so that kills fall anywhere in an interval."""
    simulation = Simulation(seed, config=CONFIG, link=Link(loss=loss))
    simulation.watch(DeliveredOnce())
    simulation.form(nodes)
    simulation.run_for(rest + 0.113 * seed)
    return simulation


def flaps(simulation: Simulation, *victims: str, since: float = 0.0) -> list[tuple[str, float, str]]:
    """Changes about nodes other than the victims."""
    return [
        (process.label, time, repr(event))
        for process in simulation.processes.values()
        for time, event in process.events
        if isinstance(event, MemberSuspected | MemberDied | MemberRecovered)
        and event.member.name not in victims
        and time >= since
    ]


def delays(simulation: Simulation, payload: bytes, sent: float) -> list[float]:
    """When each other node was told, in intervals."""
    return [
        (time - sent) / I
        for process in simulation.processes.values()
        for time, event in process.events
        if isinstance(event, BroadcastReceived) and event.payload == payload
    ]


def cluster(seed: int, kinds: list[ProtocolConfig], *, loss: float = 0.0) -> Simulation:
    """One node of each kind, which join by way of the first."""
    simulation = Simulation(seed, config=CONFIG, link=Link(loss=loss))
    for number, config in enumerate(kinds):
        simulation.add(f"node-{number}", join=["node-0"] if number else [], config=config)
        simulation.run_for(0.1)
    simulation.run_for(8.0)
    return simulation
