"""Situations in which one member is behind a firewall; see `situations`."""

from .harm import Harm
from .situations import SETTLED

__all__ = ["firewall", "reject"]

SHORT = 2.9  # seconds: in a stall no longer than this a silent kernel doesn't count as dead
TWO_PINGS = 0.35  # seconds within which refusals by UDP count as one
REJECTIONS = 8


def firewall(harm: Harm) -> None:
    """Let no new connection reach one member, and break the existing ones or let a short stall show what they are
    worth. Then let it stall for less than S."""
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
    """Repeatedly, for less than two pings, refuse what is sent to a member that doesn't listen for connections.

    One refusal by UDP and one by TCP must not count as the death of a member that has never taken a connection: perhaps
    it takes none.
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
