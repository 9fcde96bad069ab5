"""Very large clusters, in the simulator: the figures of docs/performance.md, "Large clusters".

    python tests/bench/scale.py --members 10000 30000 100000
    python tests/bench/scale.py --members 500 1000 2000 --partition

A formed cluster, whose members share what they know at the start, runs idle, learns a change of metadata, loses a
process, and lets in ten newcomers, if it has up to 2,000 members: each newcomer pings them all. A member takes some 65
kB here: 100,000 of them need 7 GB, and 20 minutes or so. With --partition, a cluster is cut in halves for 20 s. Each
member then learns of half of the others that they are dead, and later that they are not, so that 300 members take a
minute or more and a thousand a quarter of an hour.
"""

import argparse
import resource
import time

from measuring import progress, section, table

from swim_core import Config, MemberDied, MemberJoined, MemberUpdated
from swim_core.simulation import Simulation

IDLE = 3.0  # seconds
VICTIM = "node-1"
NEWCOMERS = 10
MOST_JOINED = 2_000  # members that ten newcomers join
CUT = 20.0


def known(simulation: Simulation, kind: type, since: float) -> tuple[float, float]:
    """Milliseconds until half of the members and until all but one in 10,000 were told of the victim."""
    simulation.run_for(0.1)
    times = sorted(at - since for process in simulation.running() for at in process.times(kind, VICTIM) if at >= since)
    others = len(simulation.running()) - 1
    if len(times) < others * 0.9999:
        return float("nan"), float("nan")
    return 1000 * times[len(times) // 2], 1000 * times[-1]


def large(members: int) -> Simulation:
    """A formed cluster with room for all, and for newcomers."""
    progress(f"{members}: forming")
    room = max(16_384, 2 * members)
    simulation = Simulation(1, tripwires=True, config=Config.lan(max_members=room, max_tombstones=room))
    simulation.start_formed(members)
    return simulation


def joined(simulation: Simulation) -> tuple[float, float]:
    """Milliseconds until half of all members have heard of half of the newcomers, and datagrams that each member sends
    for each newcomer."""
    before, since = simulation.network.traffic.sent, simulation.now
    old = simulation.running()
    names = [f"newcomer-{number}" for number in range(NEWCOMERS)]
    for name in names:
        simulation.add(name, join=["node-2", "node-3"])
    simulation.run_for(IDLE)
    sent = simulation.network.traffic.sent - before - IDLE * len(old)
    asked = sum(
        count
        for process in simulation.running()[len(old) :]
        for count in process.node.statistics().messages_sent.values()
    )
    times = sorted(at - since for process in old[:1_000] for name in names for at in process.times(MemberJoined, name))
    return 1000 * times[len(times) // 2], (sent - asked) / len(old) / NEWCOMERS


def row(members: int) -> list[object]:
    began = time.monotonic()
    with large(members) as simulation:
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
        progress(f"{members}: newcomers")
        join = "{:.0f} ms, {:.1f}".format(*joined(simulation)) if members <= MOST_JOINED else "-"
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / members * 1024
    return [
        f"{members:,}",
        f"{idle:.2f}/s",
        "{:.1f}, {:.1f} ms".format(*update),
        f"{for_update:.1f}",
        "{:.1f}, {:.1f} ms".format(*kill),
        join,
        f"{memory:.0f} kB",
        f"{time.monotonic() - began:.0f} s",
    ]


def bytes_sent(simulation: Simulation) -> int:
    return sum(process.node.statistics().bytes_sent for process in simulation.running())


def parted(members: int) -> list[object]:
    """A cut into halves for `CUT` seconds, and what follows."""
    began = time.monotonic()
    with large(members) as simulation:
        simulation.run_for(IDLE)
        addresses = [process.address for process in simulation.running()]
        simulation.network.partition([addresses[: members // 2], addresses[members // 2 :]])
        worst, sent = 0.0, simulation.network.traffic.sent
        dead = float("nan")
        for second in range(int(CUT)):
            progress(f"{members}: cut for {second} s")
            simulation.run_for(1.0)
            worst = max(worst, (simulation.network.traffic.sent - sent) / members)
            sent = simulation.network.traffic.sent
            if dead != dead and all(len(process.node.members()) <= members // 2 for process in simulation.running()):
                dead = second + 1.0
        simulation.network.heal()
        healed, traffic = simulation.now, bytes_sent(simulation)
        progress(f"{members}: healed")
        simulation.run_until(simulation.agreed, 60.0)
        took = simulation.now - healed
        simulation.run_for(IDLE)
        kilobytes = (bytes_sent(simulation) - traffic) / members / 1000
    return [
        f"{members:,}",
        f"{dead:.0f} s",
        f"{worst:.0f}/s",
        f"{took:.1f} s",
        f"{kilobytes:.0f} kB",
        f"{1000 * kilobytes / members:.0f} bytes",
        f"{time.monotonic() - began:.0f} s",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--partition", action="store_true", help="cut them in halves instead")
    options = parser.parse_args()
    if options.partition:
        section("Large clusters cut in halves for 20 s")
        header = "members | other half dead after | most datagrams each | healed after | bytes each until then"
        table(f"{header} | for each member | took", (parted(members) for members in options.members))
        return
    section("Large clusters")
    header = "members | datagrams each, idle | update: half, all | datagrams each | kill: half, all"
    header = f"{header} | ten join: known, datagrams each for each"
    table(f"{header} | memory each, simulated | took", (row(members) for members in options.members))


if __name__ == "__main__":
    main()
