"""Situations in which a firewall stands before one member; see `situations`."""

from .harm import Harm
from .situations import SETTLED

__all__ = ["firewall", "reject"]

SHORT = 2.9  # seconds of a stall that a silent kernel doesn't turn into a death
TWO_PINGS = 0.35  # seconds in which no two refusals by UDP come that count for two
REJECTIONS = 8


def firewall(harm: Harm) -> None:
    """Let no connection reach one any more, and break those that stand, or let a short stall show what they are worth;
    then let it stall for less than S."""
    simulation, wires = harm.simulation, harm.simulation.wires
    if wires is None:
        return
    one = harm.random.choice(harm.awake())
    simulation.faults["firewall"] += 1
    if harm.random.random() < 0.5:
        wires.firewalled[one.address] = None
        wires.reset(one)
        simulation.run_for(harm.random.uniform(3.0, 5.0))
    else:
        wires.dark[one.address] = None
        simulation.run_for(harm.random.uniform(0.0, 5.0))
        simulation.pause(one, SHORT)
        simulation.run_for(SHORT + SETTLED)
    simulation.pause(one, harm.longest_stall)
    simulation.run_for(harm.longest_stall + SETTLED)
    wires.firewalled.pop(one.address, None)
    wires.dark.pop(one.address, None)
    simulation.run_for(1.0)


def reject(harm: Harm) -> None:
    """Refuse what is sent to one where nobody listens for connections, again and again, for less than two pings.

    A single refusal by each way must not be the death of one that never took a connection: perhaps it takes none.
    """
    simulation, random, wires = harm.simulation, harm.random, harm.simulation.wires
    if wires is None:
        return
    one = random.choice(harm.awake())
    simulation.faults["rejected"] += 1
    wires.closed[one.address] = None
    simulation.restart(one, join=[process for process in harm.awake() if process is not one][:3])
    simulation.run_for(SETTLED)
    for _ in range(REJECTIONS):
        simulation.network.rejected[one.address] = None
        simulation.network_changed()
        simulation.run_for(random.uniform(0.2, TWO_PINGS))
        del simulation.network.rejected[one.address]
        simulation.network_changed()
        simulation.run_for(random.uniform(1.5, 2.5))
    del wires.closed[one.address]
