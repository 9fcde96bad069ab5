"""A member of the cluster says anything that the format allows; the others cope, and recover when it is gone."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from support.hostile_member import Hostile, datagrams, journeys
from swim_core import BroadcastReceived
from swim_core.simulation import Process, Simulation

HONEST = 5
RECOVERY = 240.0  # seconds: a superseded member asks every 60 s whether its rival still lives
CHAOTIC = settings(
    deadline=None,
    max_examples=10,
    derandomize=True,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes: add it once there is a failure
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


def befall(simulation: Simulation, honest: list[Process], data: st.DataObject) -> None:
    """What also happens to honest members, one time in four: stalls, restarts, clocks set back, news of their own."""
    fault = data.draw(
        st.sampled_from((None,) * 15 + ("stall", "restart", "clock", "metadata", "partition")), label="fault"
    )
    if fault is None:
        return
    index = data.draw(st.integers(0, HONEST - 1), label="whose")
    process = honest[index]
    match fault:
        case "stall":
            simulation.pause(process, data.draw(st.sampled_from((0.3, 2.0, 8.0)), label="stall"))
        case "restart":
            honest[index] = simulation.restart(process)
        case "clock":
            simulation.step_clock(process, monotonic=-1.0)
        case "partition":
            simulation.partition(honest[: index + 1])
            simulation.after(4.0, simulation.heal)
        case _ if not (process.paused or process.node.statistics().superseded):
            simulation.update_metadata(process, {"news": str(simulation.now)})


def turn_hostile(simulation: Simulation, data: st.DataObject, *, most: int = 40) -> list[Process]:
    """Form a cluster, let one member of it say what ``data`` draws, and kill it; returns the honest ones."""
    *honest, evil = simulation.start_formed(HONEST + 1)
    simulation.run_for(data.draw(st.sampled_from((0.1, 2.0, 10.0)), label="peace"))
    hostile = Hostile(simulation, evil)
    for _ in range(data.draw(st.integers(1, most), label="datagrams")):
        payload = data.draw(datagrams(hostile), label="datagram")
        for _ in range(data.draw(st.sampled_from((1, 1, 1, 3)), label="times")):
            source, target = data.draw(journeys(hostile), label="from and to")
            hostile.send(payload, target, source)
        befall(simulation, honest, data)
        simulation.run_for(data.draw(st.sampled_from((0.0, 0.001, 0.05, 0.3, 1.1)), label="pause"))
    if data.draw(st.booleans(), label="refusals"):
        simulation.crash(evil)
    else:
        simulation.lose_host(evil)
    return honest


def agreed_soon(simulation: Simulation) -> None:
    try:
        simulation.run_until(simulation.agreed, limit=RECOVERY, every=0.5)
    except TimeoutError as error:
        for process in simulation.running():
            error.add_note(f"{process}: {process.node.statistics()}")
            for member in process.node.members(gone=True):
                error.add_note(f"    {member}")
        raise


def delivered_once(simulation: Simulation, honest: list[Process]) -> None:
    """Each honest member broadcasts, and each other one receives that once."""
    since = simulation.now
    payloads = {process.name: f"from {process.name}".encode() for process in honest}
    for process in honest:
        simulation.broadcast(process, payloads[process.name])
    simulation.run_for(5.0)
    for process in honest:
        received = Counter(
            event.payload for time, event in process.events if time >= since and isinstance(event, BroadcastReceived)
        )
        assert received == Counter(payload for name, payload in payloads.items() if name != process.name)


def times_agree(simulation: Simulation, honest: list[Process]) -> None:
    """Cluster times come within 50 ms of each other. Once a liar has pushed one by an hour, it can push it no faster
    than time passes, and the others can follow no faster either: that may take as long as the lies went on.
    """

    def agree() -> bool:
        for process in honest:
            process.do(lambda node, now: node.feed_tick(now=now))  # statistics date from the last input
        times = [process.node.statistics().cluster_time for process in honest]
        return max(times) - min(times) <= 50

    simulation.run_until(agree, limit=60.0, every=0.5)


@CHAOTIC
@given(st.data())
def test_whatever_a_member_says_the_others_recover_when_it_is_gone(data: st.DataObject) -> None:
    with Simulation(seed="hostile") as simulation:
        honest = turn_hostile(simulation, data)
        agreed_soon(simulation)
        simulation.run_for(2.0)
        times_agree(simulation, honest)
        delivered_once(simulation, honest)


@pytest.mark.slow
@settings(CHAOTIC, max_examples=1_000, derandomize=False)
@given(st.data())
def test_the_same_a_thousand_times(data: st.DataObject) -> None:
    with Simulation(seed="hostile") as simulation:
        honest = turn_hostile(simulation, data, most=120)
        agreed_soon(simulation)
        simulation.run_for(2.0)
        times_agree(simulation, honest)
        delivered_once(simulation, honest)
