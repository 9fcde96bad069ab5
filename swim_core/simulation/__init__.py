"""A deterministic network of nodes in virtual time. The protocols are tested on it, and your application can be.

    with Simulation(seed=7, application=MyCache) as simulation:
        simulation.form(5)
        simulation.crash("node-3")
        simulation.run_until(simulation.agreed, limit=2.0)
        assert simulation.process("node-0").told(MemberDied, "node-3")

`watch_all` checks a simulation for every invariant of this library, `Harm` does random harm to it from a seed, and
`Chaos` does both, by scenario.
"""

from .application import Application, Program, SimulatedNode
from .bounds import Bounds
from .chaos import Chaos, Report
from .cluster import Cluster
from .harm import Act, Acts, Harm
from .invariants import watch_all
from .link import Link
from .network import Network
from .observer import Observer
from .process import Process, SimulationError, Stop
from .scenarios import SCENARIOS, Scenario
from .simulation import Simulation
from .timeline import Timeline
from .traffic import Traffic
from .violation import InvariantViolated

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
