"""Situations in which broadcasts are missed, and must be repaired or reported lost; see `situations`."""

from swim_core.errors import SwimError
from swim_core.events import BroadcastReceived

from .harm import Harm
from .process import Process
from .situations import SETTLED
from .violation import require

__all__ = ["announce", "blip", "burst", "burst_beyond", "end_after_broadcast"]


def _broadcast(harm: Harm, process: Process) -> bool:
    """Have it broadcast, unless too much is waiting already or another process owns its name; returns whether it
    did."""
    try:
        harm.simulation.broadcast(process, harm.random.randbytes(harm.random.randint(0, 40)))
    except SwimError:
        return False
    harm.simulation.faults["broadcast"] += 1
    return True


def announce(harm: Harm) -> None:
    """After a quiet while, have one broadcast once."""
    harm.simulation.run_for(SETTLED)
    if awake := harm.awake():
        _broadcast(harm, harm.random.choice(awake))
    harm.simulation.run_for(1.5)


def blip(harm: Harm) -> None:
    """Cut some off from the others for a short or long time, while one or two broadcast once each."""
    simulation, random, awake = harm.simulation, harm.random, harm.awake()
    simulation.faults["blip"] += 1
    seconds = random.choice((random.uniform(2.0, 6.0), random.uniform(2.0, 6.0), random.uniform(10.0, 50.0)))
    end = simulation.now + seconds
    simulation.partition(random.sample(awake, random.randint(1, max(1, len(awake) // 2))))
    for process in harm.some(awake, random.randint(1, 2)):
        simulation.run_for(random.uniform(0.0, seconds / 3))
        _broadcast(harm, process)
    simulation.run_for(end - simulation.now)
    simulation.heal()
    simulation.run_for(random.uniform(16.0, 18.0))


def burst(harm: Harm, counts: tuple[int, ...] = (200, 500, 900), *, kept: bool = True) -> None:
    """Have one broadcast a lot while another stalls or is cut off, and once afterwards. If all is ``kept``, the other
    gets all of it."""
    simulation, random = harm.simulation, harm.random
    origin, other = random.sample(harm.awake(), 2)
    simulation.faults["burst"] += 1
    if random.random() < 0.5:
        simulation.pause(other, random.uniform(1.0, harm.longest_stall))
    else:
        simulation.partition([other])
    before, left = origin.node.statistics().broadcasts_sent, random.choice(counts)
    while left:
        if _broadcast(harm, origin):
            left -= 1
        else:
            simulation.run_for(0.02)
        if left % 50 == 0:
            simulation.run_for(0.1)
    simulation.run_for(0.5)
    simulation.resume(other)
    simulation.heal()
    simulation.run_for(0.2)
    _broadcast(harm, origin)
    simulation.run_for(8.0)
    if kept:
        got = {event.number for event in other.told(BroadcastReceived, origin.name)}
        missed = [
            number for number in range(before + 1, origin.node.statistics().broadcasts_sent + 1) if number not in got
        ]
        require(not missed, f"{other.label} missed {len(missed)} broadcasts of {origin.label}, which all others keep")


def burst_beyond(harm: Harm) -> None:
    """Have one broadcast more than the window holds of one origin while another stalls or is cut off."""
    burst(harm, (1_500, 3_000), kept=False)


def end_after_broadcast(harm: Harm) -> None:
    """Have one miss a broadcast, and the origin end just when that one learns of it."""
    simulation = harm.simulation
    origin, other = harm.random.sample(harm.awake(), 2)
    simulation.run_for(SETTLED)
    simulation.faults["origin ended"] += 1
    simulation.partition([other])
    missed = simulation.broadcast(origin, b"missed")
    simulation.run_for(harm.random.uniform(0.3, 0.9))  # its number is not told yet
    simulation.heal()
    _broadcast(harm, origin)
    simulation.run_for(0.1)  # before the other asks
    simulation.crash(origin)
    simulation.run_for(6.0)
    got = [event.number for event in other.told(BroadcastReceived, origin.name)]
    require(
        missed in got, f"{other.label} never got broadcast {missed} of {origin.label}, which ended; all others have it"
    )
    simulation.restart(origin, join=harm.awake()[:3])
