"""The part of `attacks.py` about members that work badly: lossy, slow, out of reach of TCP."""

from collections import Counter
from collections.abc import Iterator, Sequence

from hindrance import Slow, slow, tcp_dark
from measuring import count, progress, section, table

from swim_core import MemberDied, MemberSuspected
from swim_core.simulation import Link, Process, Simulation

__all__ = ["dark", "overload", "suspicion"]


def formed(seed: object, members: int, *, tripwires: bool = True, link: Link | None = None) -> Simulation:
    """A cluster that has run for 20 s."""
    simulation = Simulation(seed, tripwires=tripwires, link=link)
    simulation.start_formed(members)
    simulation.run_for(20.0)
    return simulation


# ---------------------------------------------------------------------- who is suspected


def suspicion(seeds: int) -> None:
    """For 5 minutes, one of 32 members loses much of what it sends and is sent: who is suspected, and by whom?"""
    section("The lossy one's own suspicions of healthy members should be none; a hang is suspected at S/2 as ever")
    table(
        "loss|seed|of healthy ones, by the lossy one|of the lossy one|others|refutations|false deaths|hang suspected",
        _suspicions(seeds),
    )


def _suspicions(seeds: int) -> Iterator[Sequence[object]]:
    for loss in (0.45, 0.6, 0.8):
        for seed in range(1, seeds + 1):
            progress(f"{loss:.0%} lost, seed {seed}")
            yield f"{loss:.0%}", seed, *_suspicion(loss, seed)


def _suspicion(loss: float, seed: int) -> tuple[object, ...]:
    with formed(f"sus/{loss}/{seed}", 32, tripwires=False) as simulation:
        lossy, other = simulation.process("node-7"), simulation.process("node-3")
        link = Link(loss=loss)
        simulation.network.set_link(lossy.address, None, link)
        simulation.network.set_link(None, lossy.address, link)
        simulation.run_for(300.0)
        processes = simulation.running()
        made: Counter[str] = Counter()
        for subject, _, accuser in _accusations(processes):
            made["of" if subject == lossy.name else "by" if accuser == lossy.name else "other"] += 1
        refuted = sum(process.node.statistics().refutations for process in processes)
        died = count(processes, MemberDied)
        simulation.network.set_link(lossy.address, None, None)
        simulation.network.set_link(None, lossy.address, None)
        simulation.run_for(10.0)
        hung = simulation.now
        simulation.pause(other)
        simulation.run_for(4.0)
        first = min(time for p in processes for time in p.times(MemberSuspected, other.name) if time > hung)
        return made["by"], made["of"], made["other"], refuted, died, f"{first - hung:.2f} s"


def _accusations(processes: Sequence[Process]) -> set[tuple[str, int, str]]:
    """Suspect, incarnation and accuser of each suspicion that any node told of."""
    return {
        (event.member.name, event.member.incarnation, event.evidence.accuser if event.evidence else "")
        for process in processes
        for event in process.told(MemberSuspected)
    }


# ---------------------------------------------------------------------- too slow for what it is sent

LEGS = (("slow", 20.0), ("0 to 10 s after", 10.0), ("10 to 60 s after", 50.0), ("60 to 300 s after", 240.0))


def overload(seeds: int) -> None:
    """One member takes 400 ms for each datagram for 20 s, then as little as before: does it recover?"""
    section("It should be itself again 10 s after: nothing waiting, nothing dropped, nobody watched")
    table("members|usual ms|seed|when|it sends/s|others send/s|waiting|dropped/s|watches", _overloads(seeds))


def _overloads(seeds: int) -> Iterator[Sequence[object]]:
    for members, usual in ((32, 0.05), (32, 0.02), (32, 0.01), (100, 0.05), (100, 0.02)):
        for seed in range(1, seeds + 1):
            yield from _overload(members, usual, seed)


def _overload(members: int, usual: float, seed: int) -> Iterator[Sequence[object]]:
    with formed(f"meta/{usual}/0.4/{members}/{seed}", members) as simulation:
        subject = simulation.process("node-7")
        others = [process for process in simulation.running() if process is not subject]
        state = slow(subject, usual)
        simulation.run_for(60.0)
        for leg, seconds in LEGS:
            progress(f"{members} members, {usual * 1000:g} ms, seed {seed}, {leg}")
            state.service = 0.4 if leg == "slow" else usual
            before = _sent([subject]), _sent(others), state.dropped
            simulation.run_for(seconds)
            yield members, f"{usual * 1000:g}", seed, leg, *_load(subject, others, state, seconds, before)


def _sent(processes: Sequence[Process]) -> int:
    return sum(process.node.statistics().datagrams_sent for process in processes)


def _load(
    subject: Process, others: Sequence[Process], state: Slow, seconds: float, before: tuple[int, int, int]
) -> tuple[object, ...]:
    own, theirs, dropped = before
    return (
        f"{(_sent([subject]) - own) / seconds:.1f}",
        f"{(_sent(others) - theirs) / seconds / len(others):.1f}",
        len(state.waiting),
        f"{(state.dropped - dropped) / seconds:.1f}",
        subject.node.statistics().watches,
    )


# ---------------------------------------------------------------------- TCP goes dark


def dark(seeds: int) -> None:
    """All TCP to a member goes dark while tripwires stand; it stalls ten times, 25 s apart."""
    section("S = 5 s is promised, so stalls of 4 and 4.9 s should kill nobody")
    table("dark|stall|seed|stalls|told dead falsely|a lost host, later, known after", _darks(seeds))


def _darks(seeds: int) -> Iterator[Sequence[object]]:
    for everywhere in (False, True):
        for stall in (4.0, 4.9):
            for seed in range(1, seeds + 1):
                progress(f"{stall} s, seed {seed}")
                where = "everywhere" if everywhere else "to one"
                yield where, f"{stall} s", seed, 10, *_dark(everywhere, stall, seed)


def _dark(everywhere: bool, stall: float, seed: int) -> tuple[object, ...]:
    with formed(f"dark/{everywhere}/{stall}/{seed}", 32) as simulation:
        subject = simulation.process("node-7")
        with tcp_dark(simulation, lambda *ends: everywhere or subject.address in ends):
            simulation.run_for(5.0)
            for _ in range(10):
                simulation.pause(subject, stall)
                simulation.run_for(25.0)
            dead = {round(time) for p in simulation.running() for time in p.times(MemberDied, subject.name)}
            lost = simulation.now
            simulation.lose_host(subject)
            simulation.run_for(10.0)
            times = [max(p.times(MemberDied, subject.name), default=float("inf")) for p in simulation.running()]
        return len(dead), f"{max(times) - lost:.2f} s"
