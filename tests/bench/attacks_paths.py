"""The part of `attacks.py` about gray failures: paths and processes that work only partly, each for a minute."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from random import Random

from attacks_ends import Meter, formed
from hindrance import hindered, slow, tcp_dark
from measuring import progress, section, settled, table

from swim_core import Address, MemberDied, MemberSuspected
from swim_core.simulation import Link, Process, Simulation

__all__ = ["gray"]

MEMBERS = 32
SECONDS = 60.0
STEP = 0.25
Setup = Callable[[Simulation, Process], AbstractContextManager[object]]


def gray(seeds: int) -> None:
    """For a minute each, one of 32 members, or all of them, can be reached only partly, or work only partly."""
    section("Nobody that runs should die, but where paths of all helpers are dead too, and who can't be reached by UDP")
    table("what|seed|died|told|suspicions told|about|subject sends/s|others|worst second|agreed after", _rows(seeds))


def _rows(seeds: int) -> Iterator[Sequence[object]]:
    for name, setup in CASES.items():
        for seed in range(1, seeds + 1):
            progress(f"{name}, seed {seed}")
            yield name, seed, *_row(name, setup, seed)


def _row(name: str, setup: Setup, seed: int) -> tuple[object, ...]:
    with formed(f"gray/{name}/{seed}", MEMBERS) as simulation:
        usual, subject, processes = simulation.network.link, simulation.process("node-7"), simulation.running()
        began, meter = simulation.now, Meter(processes)
        sent = {process: process.node.statistics().datagrams_sent for process in processes}
        with setup(simulation, subject):
            while simulation.now < began + SECONDS:
                simulation.run_for(STEP)
                meter.look()
        rates = {p: (p.node.statistics().datagrams_sent - sent[p]) / SECONDS for p in processes}
        for process in processes:
            simulation.resume(process)
        simulation.heal()
        simulation.set_link(usual)
        agreed = settled(simulation, simulation.agreed, 120.0, STEP)
        died, suspected = _told(processes, MemberDied, began), _told(processes, MemberSuspected, began)
        return (
            len(died),
            died.total(),
            suspected.total(),
            len(suspected),
            f"{rates.pop(subject):.1f}",
            f"{sum(rates.values()) / len(rates):.1f}",
            meter.worst,
            "never" if math.isinf(agreed) else f"{agreed:.2f} s",
        )


def _told(processes: Sequence[Process], kind: type[MemberDied | MemberSuspected], since: float) -> Counter[str]:
    """How often each member was said to be that."""
    return Counter(
        event.member.name for p in processes for time, event in p.events if time >= since and isinstance(event, kind)
    )


# ---------------------------------------------------------------------- paths


@contextmanager
def _one_way(count: int, out: bool, simulation: Simulation, subject: Process) -> Iterator[None]:
    """So many others don't hear the subject, or the subject doesn't hear them."""
    for other in [process for process in simulation.running() if process is not subject][:count]:
        simulation.cut(*((subject, other) if out else (other, subject)))
    yield


@contextmanager
def _link(link: Link, simulation: Simulation, subject: Process) -> Iterator[None]:
    """Whatever the subject sends or is sent goes over that link."""
    ends = ((subject.address, None), (None, subject.address))
    for source, destination in ends:
        simulation.network.set_link(source, destination, link)
    yield
    for source, destination in ends:
        simulation.network.set_link(source, destination, None)


@contextmanager
def _everywhere(link: Link, simulation: Simulation, subject: Process) -> Iterator[None]:
    simulation.set_link(link)
    yield


@contextmanager
def _flows(share: float, simulation: Simulation, subject: Process) -> Iterator[None]:
    """Each ordered pair of hosts has a path of its own, and that share of the paths is dead."""

    def dead(source: Address, destination: Address) -> bool:
        return Random(f"{source}/{destination}").random() < share

    with ExitStack() as stack:
        stack.enter_context(hindered(simulation, lambda source, to, _: None if dead(source, to) else 0.0))
        stack.enter_context(tcp_dark(simulation, dead))
        yield


@contextmanager
def _bloat(longest: float, rise: float, simulation: Simulation, subject: Process) -> Iterator[None]:
    """The subject's uplink begins to buffer datagrams for so long."""
    began = simulation.now

    def wait(source: Address, _to: Address, _data: bytes) -> float:
        held = min(longest, longest * (simulation.now - began) / rise)
        return held if source == subject.address else 0.0

    with hindered(simulation, wait):
        yield


@contextmanager
def _blocked(udp: bool, simulation: Simulation, subject: Process) -> Iterator[None]:
    """Only UDP, or only TCP, passes to and from the subject."""
    if udp:
        with hindered(simulation, lambda *ends: None if subject.address in ends else 0.0):
            yield
    else:
        with tcp_dark(simulation, lambda *ends: subject.address in ends):
            yield


@contextmanager
def _stateful(timeout: float, simulation: Simulation, subject: Process) -> Iterator[None]:
    """A firewall lets in only answers: datagrams from addresses that the subject sent to within ``timeout``."""
    sent: dict[Address, float] = {}

    def fate(source: Address, destination: Address, _data: bytes) -> float | None:
        if source == subject.address:
            sent[destination] = simulation.now
        elif destination == subject.address and simulation.now - sent.get(source, -math.inf) > timeout:
            return None
        return 0.0

    with ExitStack() as stack:
        stack.enter_context(hindered(simulation, fate))
        stack.enter_context(tcp_dark(simulation, lambda _, destination: destination == subject.address))
        yield


# ---------------------------------------------------------------------- processes


@contextmanager
def _slow(service: float, simulation: Simulation, subject: Process) -> Iterator[None]:
    state = slow(subject, service)
    yield
    state.service = 0.0


@contextmanager
def _stalls(
    count: int, seconds: float, every: float, loss: float, simulation: Simulation, _: Process
) -> Iterator[None]:
    """So many members stall at once, again and again."""
    simulation.set_link(Link(loss=loss))
    for number in range(int(SECONDS / every)):
        for process in simulation.running()[:count]:
            simulation.after(3.0 + number * every, simulation.pause, process, seconds)
    yield


@contextmanager
def _own_stalls(on: float, off: float, simulation: Simulation, _: Process) -> Iterator[None]:
    """Every member stalls for ``on`` of every ``on + off`` seconds, in a phase of its own."""
    random = Random(5)
    for process in simulation.running():
        start = random.random() * (on + off)
        for number in range(int((SECONDS - start - on) / (on + off))):
            simulation.after(start + number * (on + off), simulation.pause, process, on)
    yield


CASES: dict[str, Setup] = {
    "one can't send to one": partial(_one_way, 1, True),
    "one can't send to 8": partial(_one_way, 8, True),
    "8 can't send to one": partial(_one_way, 8, False),
    "one can't send to 16": partial(_one_way, 16, True),
    "1/16 of all paths dead": partial(_flows, 1 / 16),
    "1/8": partial(_flows, 1 / 8),
    "1/4": partial(_flows, 1 / 4),
    "one loses 30 %": partial(_link, Link(loss=0.3)),
    "60 %": partial(_link, Link(loss=0.6)),
    "80 %": partial(_link, Link(loss=0.8)),
    "round trips of 0.8 s to one": partial(_link, Link(delay=0.4, jitter=0.02)),
    "2 s": partial(_link, Link(delay=1.0, jitter=0.05)),
    "one's uplink buffers up to 3 s": partial(_bloat, 3.0, 50.0),
    "within 3 s": partial(_bloat, 3.0, 3.0),
    "30 % held back by up to 1 s": partial(_everywhere, Link(reordering=0.3, holding=1.0)),
    "half of all comes twice": partial(_everywhere, Link(duplication=0.5)),
    "no TCP to one": partial(_blocked, False),
    "no UDP to one": partial(_blocked, True),
    "one behind a firewall that lets answers in for 30 s": partial(_stateful, 30.0),
    "10 s": partial(_stateful, 10.0),
    "one takes 50 ms a datagram": partial(_slow, 0.05),
    "200 ms": partial(_slow, 0.2),
    "6 stall for 4.9 s at once, twice": partial(_stalls, 6, 4.9, 30.0, 0.0),
    "at 20 % loss": partial(_stalls, 6, 4.9, 30.0, 0.2),
    "at 40 % loss": partial(_stalls, 6, 4.9, 30.0, 0.4),
    "all 32": partial(_stalls, MEMBERS, 4.9, 30.0, 0.0),
    "all stall 1 s of every 2 s": partial(_own_stalls, 1.0, 1.0),
    "4 s of every 5 s": partial(_own_stalls, 4.0, 1.0),
}
