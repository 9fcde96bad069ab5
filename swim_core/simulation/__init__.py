"""A deterministic network of nodes in virtual time: the ground on which the protocols are tested, and yours can be.

with Simulation(seed=7) as simulation:
    simulation.form(5)
    simulation.crash("node-3")
    simulation.run_until(simulation.agreed, limit=2.0)
"""

from .cluster import Cluster
from .link import Link
from .network import Network, Traffic
from .observer import Observer, Stop
from .process import Process, SimulationError
from .simulation import Simulation
from .timeline import Timeline

__all__ = [
    "Cluster",
    "Link",
    "Network",
    "Observer",
    "Process",
    "Simulation",
    "SimulationError",
    "Stop",
    "Timeline",
    "Traffic",
]
