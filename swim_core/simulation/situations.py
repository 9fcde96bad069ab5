"""Situations that single acts of harm seldom bring about. Each act here brings one about as a whole, and checks it.

They are acts for scenarios, like those of `Harm`. Invariants watch what holds in all scenarios; what is promised for
one situation in particular is checked here.
"""

from swim_core.events import MemberDied, MemberSuspected

from .deliveries import holds_live
from .harm import Harm
from .link import Link
from .process import Process
from .violation import require

__all__ = [
    "blind",
    "come_to_all",
    "deafen",
    "end_amid_pauses",
    "end_the_hung",
    "few_survive",
    "gray",
    "grow_apart",
    "lose_seeds",
    "lull",
    "outlast_a_deployment",
    "stall_observers",
]

SEVERAL = 5  # with fewer members the others can't outvote one, and the protocol promises less
FEWER_THAN_RINGS = (
    3  # stall where floods go by rings: whoever's predecessors all stall learns by a digest, seconds later
)
FOUND = 14.0  # seconds: S until a process that paused trusts itself again, another S, two turns and a margin
SETTLED = 3.5  # seconds after which a cluster that was disturbed is settled: views, rings and pairs


# most end, or all change


def few_survive(harm: Harm) -> None:
    """End all but two or three at once. The survivors must agree on that within a minute."""
    simulation, random, awake = harm.simulation, harm.random, harm.awake()
    survivors = random.sample(awake, random.choice((2, 2, 3)))
    ended = [process for process in awake if process not in survivors]
    simulation.faults["few survive"] += 1
    by_host = random.random() < 0.7
    for process in ended:
        simulation.lose_host(process) if by_host else simulation.crash(process, refusals=random.random() < 0.5)
    try:
        simulation.run_until(simulation.agreed, 60.0, every=0.25)
    except TimeoutError:
        views = ", ".join(f"{process.label} holds {len(process.node.members())}" for process in survivors)
        require(False, f"{len(survivors)} survivors of {len(awake)} don't agree after a minute: {views}")
    for process in ended:
        simulation.restart(process, join=survivors)
    simulation.run_for(SETTLED)


def lose_seeds(harm: Harm) -> None:
    """End all seeds for good."""
    simulation = harm.simulation
    seeds = {seed for process in simulation.running() for seed in process.seeds}
    for process in simulation.running():
        if process.address in seeds:
            simulation.faults["seed lost"] += 1
            simulation.crash(process)


def outlast_a_deployment(harm: Harm) -> None:
    """Cut one off while all others are replaced by new ones at the same addresses. Afterwards it must find these
    soon."""
    simulation, awake = harm.simulation, harm.awake()
    one = harm.random.choice([process for process in awake if not _is_seed(process, awake)] or awake)
    simulation.faults["deployment"] += 1
    simulation.partition([one])
    simulation.run_for(harm.random.uniform(0.0, 1.0))
    others = [process for process in awake if process is not one]
    for process in others:
        simulation.crash(process)
    fresh: list[Process] = []
    for process in others:
        name = f"{process.name.split('.')[0]}.{process.run + len(simulation.processes)}"
        fresh.append(simulation.add(name, address=process.address, join=fresh[:3]))
    simulation.run_for(harm.random.uniform(3.5, 5.0))
    simulation.heal()
    try:
        simulation.run_until(simulation.agreed, 10.0, every=0.25)
    except TimeoutError:
        require(False, f"{one.label} was cut off while all others were replaced, and did not find them within 10 s")


def _is_seed(process: Process, others: list[Process]) -> bool:
    return any(process.address in other.seeds for other in others if other is not process)


def come_to_all(harm: Harm) -> None:
    """Have one join after a quiet while, so that the pages of its first sync can be judged."""
    harm.simulation.run_for(SETTLED)
    harm.join()
    harm.simulation.run_for(1.0)


def grow_apart(harm: Harm) -> None:
    """Split the cluster too briefly for deaths to be declared. Have one join on each side, and broadcast."""
    simulation, awake = harm.simulation, harm.awake()
    simulation.faults["grown apart"] += 1
    half = harm.random.sample(awake, len(awake) // 2)
    rest = [process for process in awake if process not in half]
    newcomers = [(half, simulation.new_address()), (rest, simulation.new_address())]
    groups = [[process.address for process in side] + [address] for side, address in newcomers]
    simulation.network.partition(groups)
    simulation.network_changed()
    fresh = [
        simulation.add(f"newcomer-{len(simulation.processes)}", address=address, join=harm.some(side, 2))
        for side, address in newcomers
    ]
    simulation.run_for(harm.random.uniform(1.5, 2.5))
    simulation.heal()
    for process in fresh:  # before the other side has heard of them
        simulation.broadcast(process, b"here I am")
    simulation.run_for(6.0)


# who hears whom


def stall_observers(harm: Harm) -> None:
    """Let one end without a goodbye, and most others stall while they find out. Those that don't stall must know
    soon."""
    simulation, random, awake = harm.simulation, harm.random, harm.awake()
    simulation.run_for(SETTLED)
    one, *others = random.sample(awake, len(awake))
    simulation.faults["observers stalled"] += 1
    if random.random() < 0.5:
        simulation.crash(one, refusals=False)
    else:
        simulation.lose_host(one)
    steady = others[: random.choice((1, 2))]
    for process in others[len(steady) :]:
        simulation.run_for(random.uniform(0.0, 1.0))
        if not process.paused:
            simulation.pause(process, random.uniform(1.0, harm.longest_stall))
    simulation.run_for(16.0)
    for process in steady:
        require(
            not holds_live(process, one), f"{one.label} ended long ago, and {process.label} still considers it live"
        )
    simulation.restart(one, join=others[:3])
    simulation.run_for(SETTLED)


def end_amid_pauses(harm: Harm) -> None:
    """Have two or three pause repeatedly, together or in turn, and let one of them end meanwhile, or none. Those left
    must know soon after the last pause, even if nobody is left to vouch for their health."""
    simulation, random, awake = harm.simulation, harm.random, harm.awake()
    simulation.run_for(random.uniform(0.0, SETTLED))
    one, *others = random.sample(awake, len(awake))
    simulation.faults["pauses in a row"] += 1
    end = random.choice((None, simulation.lose_host, simulation.crash, lambda it: simulation.crash(it, refusals=False)))
    together, pauses = random.random() < 0.5, random.randint(2, 4)
    ends_after = random.randrange(pauses)
    for number in range(pauses):
        who = harm.awake() if together else harm.some(harm.awake(), 1) if random.random() < 0.5 else others
        seconds = random.uniform(0.3, harm.longest_stall / 2)
        for process in who:
            simulation.pause(process, seconds)
        simulation.run_for(seconds + random.uniform(0.0, 1.0))
        if end is not None and number == ends_after:
            simulation.faults["ended amid pauses"] += 1
            end(one)
    simulation.run_for(FOUND)
    if end is None:
        return
    for process in others:
        require(not holds_live(process, one), f"{one.label} ended amid pauses, and {process.label} still holds it live")
    simulation.restart(one, join=others)
    simulation.run_for(SETTLED)


def lull(harm: Harm) -> None:
    """After a quiet while let one end or hang without a goodbye, and leave the others alone until they know."""
    simulation, random = harm.simulation, harm.random
    simulation.run_for(SETTLED + random.uniform(0.0, 1.0))
    one = random.choice(harm.awake())
    others = [process for process in harm.awake() if process is not one]
    simulation.faults["end in a lull"] += 1
    random.choice((simulation.lose_host, lambda process: simulation.crash(process, refusals=False)))(one)
    simulation.run_for(9.5)
    for process in others:
        require(not holds_live(process, one), f"{one.label} ended in quiet times, and {process.label} does not know it")
    simulation.restart(one, join=others[:3])


def end_the_hung(harm: Harm) -> None:
    """Let one hang and then end, while some of those that saw its kernel alive stall. They must veto no longer."""
    simulation, random = harm.simulation, harm.random
    simulation.run_for(SETTLED)
    one, *others = random.sample(harm.awake(), len(harm.awake()))
    simulation.faults["hung one ended"] += 1
    simulation.pause(one, harm.longest_stall)
    simulation.run_for(random.uniform(1.8, 2.0))
    steady = others[: max(len(others) // 2 + 1, len(others) - FEWER_THAN_RINGS)]
    for process in others[len(steady) :]:
        simulation.pause(process, harm.longest_stall)
    simulation.crash(one)
    simulation.run_for(2.9)
    for process in steady:
        require(
            not holds_live(process, one), f"{one.label} was killed 2.9 s ago, and {process.label} considers it live"
        )
    simulation.run_for(harm.longest_stall)
    simulation.restart(one, join=steady)


def deafen(harm: Harm) -> None:
    """Let one hear nobody while the others still hear it. They must declare it dead."""
    simulation, awake = harm.simulation, harm.awake()
    if len(awake) < SEVERAL:
        return
    one, *others = harm.random.sample(awake, len(awake))
    simulation.run_for(SETTLED)
    simulation.faults["deafened"] += 1
    for other in others:
        simulation.network.cut(other.address, one.address)
    simulation.network_changed()
    simulation.run_for(14.0)
    for other in others:
        require(not holds_live(other, one), f"{one.label} hears nobody, and {other.label} still considers it live")
    simulation.heal()
    simulation.run_for(SETTLED)


def blind(harm: Harm) -> None:
    """Let up to three lose sight of one that the others see. Among five or six all are asked, so it must not die."""
    simulation, awake = harm.simulation, harm.awake()
    one, *others = harm.random.sample(awake, len(awake))
    simulation.faults["blinded"] += 1
    for other in others[: harm.random.randint(1, len(others) - 1)][:3]:
        simulation.cut(other, one)
        simulation.cut(one, other)
    since = simulation.now
    simulation.run_for(12.0)
    for other in others:
        died = [time for time in other.times(MemberDied, one.name) if time >= since]
        require(not died, f"{other.label} was told that {one.label} died, which {others[-1].label} heard all the time")
    simulation.heal()
    simulation.run_for(SETTLED)


def gray(harm: Harm) -> None:
    """Let four in five datagrams from and to one be lost. None of the others may be suspected."""
    simulation, awake = harm.simulation, harm.awake()
    if len(awake) < SEVERAL:
        return
    one = harm.random.choice(awake)
    simulation.run_for(SETTLED)
    simulation.faults["gray"] += 1
    bad = simulation.network.link.with_loss(0.8)
    _set_links(harm, one, bad)
    since = simulation.now
    simulation.run_for(20.0)
    _set_links(harm, one, None)
    for process in awake:
        told = [event for time, event in process.events if time >= since and isinstance(event, MemberSuspected)]
        blamed = sorted({event.member.name for event in told} - {one.name})
        require(not blamed, f"{process.label} was told that {blamed} are suspected: only {one.label} is hard to reach")
    simulation.run_for(SETTLED)


def _set_links(harm: Harm, process: Process, link: Link | None) -> None:
    harm.simulation.network.set_link(process.address, None, link)
    harm.simulation.network.set_link(None, process.address, link)
    harm.simulation.network_changed()
