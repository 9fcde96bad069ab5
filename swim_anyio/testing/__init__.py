"""A simulated network for programs that use `open_node`: no sockets, no waiting, faults on demand, runs that replay.

    with simulated_network(seed=7) as net:
        net.run(main)

This needs trio, whose ``MockClock`` makes time jump. The network itself is that of `swim_core.simulation`.
"""

from swim_core.simulation import Link

from .network import SimulatedNetwork, simulated_network

__all__ = ["Link", "SimulatedNetwork", "simulated_network"]
