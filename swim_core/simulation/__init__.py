"""A deterministic network of nodes in virtual time: the ground on which the protocols are tested, and yours can be.

    with Simulation(seed=7, application=MyCache) as simulation:
        simulation.form(5)
        simulation.crash("node-3")
        simulation.run_until(simulation.agreed, limit=2.0)
        assert simulation.process("node-0").told(MemberDied, "node-3")

`watch_all` sets every invariant of this library on a simulation, `Harm` does random harm to it from a seed, and `Chaos`
is both, by scenario.
"""

from .application import Application, Program, SimulatedNode
from .chaos import Chaos, Report
from .cluster import Cluster
from .harm import Act, Acts, Harm
from .invariants import Bounds, InvariantViolated, watch_all
from .link import Link
from .network import Network, Traffic
from .observer import Observer
from .process import Process, SimulationError, Stop
from .scenarios import SCENARIOS, Scenario
from .simulation import Simulation
from .timeline import Timeline

__all__ = [
    "SCENARIOS",
    "Act",
    "Acts",
    "Application",
    "Bounds",
    "Chaos",
    "Cluster",
    "Harm",
    "InvariantViolated",
    "Link",
    "Network",
    "Observer",
    "Process",
    "Program",
    "Report",
    "Scenario",
    "SimulatedNode",
    "Simulation",
    "SimulationError",
    "Stop",
    "Timeline",
    "Traffic",
    "watch_all",
]
