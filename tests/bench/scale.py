"""Very large clusters, in the simulator: the figures of docs/performance.md, "A hundred thousand members".

    python tests/bench/scale.py --members 10000 30000 100000

A formed cluster, whose members share what they know at the start, runs idle, learns a change of metadata, and loses a
process. A member takes some 65 kB here: 100,000 of them need 7 GB, and a quarter of an hour or so.
"""

import argparse
import resource
import time

from measuring import progress, section, table

from swim_core import MemberDied, MemberUpdated
from swim_core.simulation import Simulation

IDLE = 3.0  # seconds
VICTIM = "node-1"


def known(simulation: Simulation, kind: type, since: float) -> tuple[float, float]:
    """Milliseconds until half of the members and until all but one in 10,000 were told of the victim."""
    simulation.run_for(0.1)
    times = sorted(at - since for process in simulation.running() for at in process.times(kind, VICTIM) if at >= since)
    others = len(simulation.running()) - 1
    if len(times) < others * 0.9999:
        return float("nan"), float("nan")
    return 1000 * times[len(times) // 2], 1000 * times[-1]


def row(members: int) -> list[object]:
    progress(f"{members}: forming")
    began = time.monotonic()
    with Simulation(1, tripwires=True) as simulation:
        simulation.start_formed(members)
        progress(f"{members}: idle")
        simulation.run_for(IDLE)
        before = simulation.network.traffic.sent
        simulation.run_for(IDLE)
        idle = (simulation.network.traffic.sent - before) / IDLE / members
        progress(f"{members}: a change of metadata")
        sent, since = simulation.network.traffic.sent, simulation.now
        simulation.update_metadata(VICTIM, {"role": "web"})
        update = known(simulation, MemberUpdated, since)
        for_update = (simulation.network.traffic.sent - sent) / members
        progress(f"{members}: a kill")
        since = simulation.now
        simulation.crash(VICTIM)
        kill = known(simulation, MemberDied, since)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / members * 1024
    return [
        f"{members:,}",
        f"{idle:.2f}/s",
        "{:.1f}, {:.1f} ms".format(*update),
        f"{for_update:.1f}",
        "{:.1f}, {:.1f} ms".format(*kill),
        f"{memory:.0f} kB",
        f"{time.monotonic() - began:.0f} s",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, nargs="+", default=[1_000, 10_000])
    options = parser.parse_args()
    section("Large clusters")
    header = "members | datagrams each, idle | update: half, all | datagrams each | kill: half, all"
    table(f"{header} | memory each, simulated | took", (row(members) for members in options.members))


if __name__ == "__main__":
    main()
