"""Experiments 1 and 2 of `rules.py`: who owns a name, and what time it is."""

from collections.abc import Callable, Iterator, Sequence

from measuring import count, events, messages, section, settled, spread, table

from swim_core import (
    Address,
    Event,
    MemberDied,
    MemberJoined,
    MemberLeft,
    MemberRecovered,
    MemberSuspected,
    MemberUpdated,
    NameConflict,
)
from swim_core.native.wire.datagram import Codec, encode_item
from swim_core.native.wire.hashing import Hashes
from swim_core.native.wire.messages import Ping
from swim_core.simulation import Observer, Process, Simulation
from swim_core.simulation.cluster import START_MS

__all__ = ["clocks", "names"]

DAY = 86_400.0
HOUR = 3_600.0
ELSEWHERE = ("10.200.0.1", 7946)
NEWS = (MemberJoined, MemberDied, MemberLeft, MemberRecovered, MemberSuspected, MemberUpdated)


# ---------------------------------------------------------------------- 1: own name at a greater epoch or address


def names(seeds: int) -> None:
    """(u) Own name at a greater epoch or address: restarts, and two live processes of one name."""
    section("A restart, n = 8: seconds until all agree (median / worst), and what each other member was told of it")
    header = "down | address | clock | agreed | died | joined | other news | conflicts | news in 10 min after"
    table(header, _restarts(seeds))
    section("Two live processes of one name, n = 5 and a twin that joins")
    header = "twin's clock | who wins | others agree | died, joined per other | conflicts | news in 10 min after"
    table(f"{header} | what the loser sent then | winner's end | loser back after", _twins(seeds))
    section("Both are started again 5 s after they learn of the conflict (a supervisor), for 10 minutes, n = 5")
    table("changes of owner | died per other | conflicts", _supervised(seeds))


def _restarts(seeds: int) -> Iterator[Sequence[object]]:
    clocks = {"right": 0.0, "a day behind": -DAY, "a day ahead": DAY, "a year ahead": 365 * DAY}
    kinds = {
        "same": ("node-3", None, False),
        "another": ("node-3", ELSEWHERE, False),
        "same, no seeds": ("node-3", None, True),
        "same, a seed that has none": ("node-0", None, True),
    }
    for down in (0.0, 20.0):
        for where, (name, address, alone) in kinds.items():
            for clock, step in clocks.items():
                runs = [_restart(seed, name, down, address, step, alone=alone) for seed in range(seeds)]
                took, *told = zip(*runs, strict=True)
                yield (f"{down:g} s", where, clock, spread(took), *(_range(counts) for counts in told))


def _range(counts: Sequence[float]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _restart(
    seed: int, name: str, down: float, address: tuple[str, int] | None, step: float, *, alone: bool
) -> tuple[float, ...]:
    with Simulation(f"{seed}/restart/{name}/{down}/{address}/{step}/{alone}") as simulation:
        simulation.start_formed(8)
        simulation.run_for(5.0 + 0.19 * seed)
        simulation.crash(name)
        crashed = simulation.now
        simulation.run_for(down)
        simulation.step_clock(name, wall=step)
        if alone:
            simulation.processes[name].seeds = ()
        again = simulation.restart(name, address=address)
        took = settled(simulation, simulation.agreed, 120.0)
        others = [process for process in simulation.running() if process is not again]
        agreed = simulation.now
        simulation.run_for(600.0)
        told = [
            [
                count([p], *kinds, name=name, since=crashed) - count([p], *kinds, name=name, since=agreed + 1e-6)
                for p in others
            ]
            for kinds in ((MemberDied,), (MemberJoined,), (MemberLeft, MemberRecovered, MemberSuspected, MemberUpdated))
        ]
        worst = [max(counts) for counts in told]
        later = count(simulation.running(), *NEWS, since=agreed + 1e-6)
        return (took, *worst, count(simulation.running(), NameConflict), later)


def _twins(seeds: int) -> Iterator[Sequence[object]]:
    ends: dict[str, Callable[[Simulation, Process], None]] = {
        "crash": lambda simulation, process: simulation.crash(process),
        "host lost": lambda simulation, process: simulation.lose_host(process),
        "leave": lambda simulation, process: simulation.leave(process),
    }
    for clock, step in {"right": 0.0, "a day behind": -DAY, "a day ahead": DAY}.items():
        for how, end in ends.items():
            runs = [_twin(seed, step, how, end) for seed in range(seeds)]
            won = sum(run.twin_won for run in runs)
            yield (
                clock,
                f"the twin, {won} of {len(runs)}",
                spread([run.agreed for run in runs]),
                _range([told for run in runs for told in run.told]),
                _range([run.conflicts for run in runs]),
                _range([run.later for run in runs]),
                ", ".join(sorted({kind for run in runs for kind in run.spoke})) or "nothing",
                how,
                spread([run.back for run in runs], 0),
            )


class _Twin:
    """What came of one run with two processes of one name."""

    def __init__(self) -> None:
        self.twin_won = False
        self.agreed = self.back = 0.0
        self.told: list[float] = []
        self.conflicts = self.later = 0
        self.spoke: dict[str, int] = {}


def _owner(processes: Sequence[Process], name: str) -> Address | None:
    """The address at which all of them see a name alive; None while they differ."""
    held = [process.node.member(name) for process in processes]
    addresses = {member.address if member is not None and member.state.live else None for member in held}
    return addresses.pop() if len(addresses) == 1 else None


def _twin(seed: int, step: float, how: str, end: Callable[[Simulation, Process], None]) -> _Twin:
    run = _Twin()
    with Simulation(f"{seed}/twin/{step}/{how}") as simulation:
        simulation.start_formed(5)
        simulation.run_for(5.0 + 0.19 * seed)
        simulation.wall_offsets["twin"] = step
        twin = simulation.add("node-2", label="twin", join=["node-0"])
        first = simulation.process("node-2")
        others = [process for process in simulation.running() if process not in (first, twin)]
        begun = simulation.now

        def decided() -> bool:
            superseded = [process.node.statistics().superseded for process in (first, twin)]
            winner = twin if superseded[0] else first
            return any(superseded) and _owner(others, "node-2") == winner.address

        run.agreed = settled(simulation, decided, 120.0)
        simulation.run_for(1.0)
        run.twin_won = first.node.statistics().superseded
        winner, loser = (twin, first) if run.twin_won else (first, twin)
        decided_at, before = simulation.now, messages([loser])
        simulation.run_for(600.0)
        run.told = [count([p], MemberDied, MemberJoined, name="node-2", since=begun) / 2 for p in others]
        run.conflicts = count([first, twin], NameConflict)
        run.later = count(simulation.running(), *NEWS, since=decided_at)
        run.spoke = dict(messages([loser]) - before)
        end(simulation, winner)
        run.back = settled(simulation, simulation.agreed, 300.0, 0.1)
    return run


def _supervised(seeds: int) -> Iterator[Sequence[object]]:
    runs = []
    for seed in range(seeds):
        with Simulation(f"{seed}/supervised") as simulation:
            simulation.start_formed(5)
            simulation.run_for(5.0 + 0.19 * seed)
            simulation.watch(_Supervisor(simulation, 5.0))
            simulation.add("node-2", label="twin", join=["node-0"])
            simulation.run_for(600.0)
            others = [process for process in simulation.running() if process.name != "node-2"]
            twins = [process for process in simulation.processes.values() if process.name == "node-2"]
            joined = [event for _, _, event in events(others[:1], MemberJoined, name="node-2")]
            runs.append(
                (len(joined), count(others, MemberDied, name="node-2") / len(others), simulation.faults["restart"])
            )
            assert len(twins) == 2
    yield tuple(_range(column) for column in zip(*runs, strict=True))


class _Supervisor(Observer):
    """Ends a process that is told of a conflict, and starts it again a while later."""

    def __init__(self, simulation: Simulation, delay: float) -> None:
        self._simulation = simulation
        self._delay = delay

    def on_event(self, process: Process, event: Event) -> None:
        if isinstance(event, NameConflict):
            self._simulation.after(0.0, self._simulation.crash, process)
            self._simulation.after(self._delay, self._restart, process.label)

    def _restart(self, label: str) -> None:
        self._simulation.restart(label, join=["node-0"])


# ---------------------------------------------------------------------- 2: jumps of cluster time


def clocks(seeds: int) -> None:
    """(u) A jump of cluster time over an hour needs three senders within 10 s: liars, and clocks that are put right."""
    section("One liar pings all others each second for 30 s with a cluster time far ahead; then 60 s of rest")
    header = "n | liar | ahead | time moved at | falsely suspected, dead | probes per member and s after"
    table(f"{header} | silent crash then known", _lies(seeds))
    section("Clocks two hours ahead, n members, 120 s; the crash afterwards is a silent one")
    header = "what | n | times held in the end | one time after | falsely suspected, dead | probes per member and s"
    table(f"{header} | silent crash then known", _corrected(seeds))


def _lies(seeds: int) -> Iterator[Sequence[object]]:
    for members in (2, 3, 5, 16, 64):
        for who in ("member", "stranger, three ids", "member, 59 min at a time"):
            for ahead, seconds in {"2 h": 2 * HOUR, "400 days": 400 * DAY, "to the end": 0.0}.items():
                if "59" in who and ahead != "2 h":
                    continue
                runs = [_lie(seed, members, who, seconds) for seed in range(seeds if members < 64 else min(seeds, 2))]
                moved = [run[0] for run in runs]
                yield (
                    members,
                    who,
                    ahead if "59" not in who else "30 steps",
                    f"{_range(moved)} of {members}",
                    *_harm(runs),
                )


Run = tuple[float, float, float, float, float]  # moved, suspected, died, probes per member and second, crash known


def _harm(runs: Sequence[Run]) -> tuple[str, str, str]:
    _, suspected, died, probes, known = zip(*runs, strict=True)
    return f"{_range(suspected)}, {_range(died)}", f"{min(probes):.2f} to {max(probes):.2f}", spread(known)


def _lie(seed: int, members: int, who: str, ahead: float) -> Run:
    with Simulation(f"{seed}/lie/{members}/{who}/{ahead}") as simulation:
        processes = simulation.start_formed(members)
        simulation.run_for(12.0 + 0.19 * seed)
        liar = processes[-1]
        ids = [1, 2, 3] if "stranger" in who else [_short_id(simulation, liar)]
        source = Address("10.200.0.9", 7946) if "stranger" in who else liar.address
        label = Hashes(simulation.config.cluster, simulation.config.rings).label  # type: ignore[attr-defined]
        for second in range(30):
            honest = START_MS + int(simulation.now * 1000)
            lead = (second + 1) * 59 * 60 if "59" in who else ahead
            time = honest + int(lead * 1000) if lead else 2**48 - 1
            for process in processes:
                if process is not liar or "stranger" in who:
                    for short_id in ids:
                        ping = Ping(second, _short_id(simulation, process), time)
                        payload = Codec(label).pack(0, short_id, encode_item(ping))
                        simulation.network.send(source, process.address, payload)
            simulation.run_for(1.0)
        moved = sum(lead > 0.5 * HOUR * 1000 for lead in _leads(simulation))
        return (moved, *_afterwards(simulation, limit=60.0))


def _short_id(simulation: Simulation, process: Process) -> int:
    local, config = process.node.local, simulation.config
    hashes = Hashes(config.cluster, config.rings)  # type: ignore[attr-defined]
    return hashes.short_id(local.name, local.epoch)


def _leads(simulation: Simulation) -> list[float]:
    """By how many ms each cluster time is ahead of the true time."""
    true = START_MS + simulation.now * 1000
    return [process.node.statistics().cluster_time - true for process in simulation.running()]


def _afterwards(simulation: Simulation, limit: float) -> tuple[float, float, float, float]:
    """Which running members were accused, how much is probed, and how soon a silent crash is known."""
    processes = simulation.running()
    before = messages(processes)
    simulation.run_for(60.0)
    probes = (messages(processes) - before)["ping"] / 60.0 / len(processes)
    runs = {(process.name, process.node.local.epoch) for process in processes}
    told = [event for _, _, event in events(processes, MemberSuspected, MemberDied)]
    falsely = [
        type(event)
        for event in told
        if isinstance(event, MemberSuspected | MemberDied) and (event.member.name, event.member.epoch) in runs
    ]
    suspected, died = falsely.count(MemberSuspected), falsely.count(MemberDied)
    simulation.crash("node-0", refusals=False)
    crashed = simulation.now
    others = simulation.running()

    def known() -> bool:
        return all(any(at >= crashed for at in process.times(MemberDied, "node-0")) for process in others)

    return suspected, died, probes, settled(simulation, known, limit)


def _corrected(seeds: int) -> Iterator[Sequence[object]]:
    scenes: dict[str, Callable[[Simulation, int], None]] = {
        "rolling restart, 2 h ahead": _rolling(2 * HOUR),
        "rolling restart, 2 h behind": _rolling(-2 * HOUR),
        "all restarted at once, 2 h ahead": _all_at_once,
        "all start at once, one seed 2 h ahead": _mixed_start,
        "a seed without seeds restarts, 2 h ahead": _lone_seed,
        "an island of 1 is 2 h ahead": _islands(1),
        "an island of 2 is 2 h ahead": _islands(2),
        "an island of 3 is 2 h ahead": _islands(3),
        "an island of half is 2 h ahead": _islands(0),
    }
    for what, scene in scenes.items():
        for members in (3, 5, 16):
            if "island of" in what and members < 6 and "half" not in what:
                continue
            runs: list[Run] = []
            held, one = [], []
            for seed in range(seeds):
                with Simulation(f"{seed}/{what}/{members}", clock_skew=0.02) as simulation:
                    scene(simulation, members)
                    one.append(settled(simulation, lambda: len(_times(simulation)) == 1, 120.0, 0.1))
                    held.append(", ".join(f"{n} at {hours:+d} h" for hours, n in sorted(_times(simulation).items())))
                    since = simulation.now
                    harm = _afterwards(simulation, limit=60.0)
                    runs.append((since, *harm))
            yield (what, members, " or ".join(sorted(set(held))), spread(one), *_harm(runs))


def _times(simulation: Simulation) -> dict[int, int]:
    """How many members hold each time, in whole hours from the true one."""
    hours = [round(lead / 3_600_000) for lead in _leads(simulation)]
    return {hour: hours.count(hour) for hour in hours}


Scene = Callable[[Simulation, int], None]


def _rolling(step: float) -> Scene:
    def scene(simulation: Simulation, members: int) -> None:
        simulation.form(members)
        simulation.run_for(5.0)
        for number in range(members):
            label = f"node-{number}"
            simulation.step_clock(label, wall=step)
            simulation.restart(
                label, join=[f"node-{other}" for other in range(4) if other != number and other < members]
            )
            simulation.run_for(5.0)

    return scene


def _all_at_once(simulation: Simulation, members: int) -> None:
    simulation.form(members)
    simulation.run_for(5.0)
    for process in simulation.running():
        simulation.crash(process)
    simulation.run_for(5.0)
    for number in range(members):
        simulation.step_clock(f"node-{number}", wall=2 * HOUR)
        simulation.restart(f"node-{number}", join=[f"node-{other}" for other in range(3) if other != number])
    settled(simulation, simulation.agreed, 60.0, 0.1)


def _mixed_start(simulation: Simulation, members: int) -> None:
    addresses = [(f"10.201.0.{number + 1}", 7946) for number in range(members)]
    simulation.wall_offsets["node-1"] = 2 * HOUR
    for number, address in enumerate(addresses):
        simulation.add(f"node-{number}", address=address, join=addresses[:3])
    settled(simulation, simulation.agreed, 60.0, 0.1)


def _lone_seed(simulation: Simulation, members: int) -> None:
    simulation.form(members)
    simulation.run_for(5.0)
    simulation.step_clock("node-0", wall=2 * HOUR)
    simulation.processes["node-0"].seeds = ()
    simulation.restart("node-0")
    settled(simulation, simulation.agreed, 90.0, 0.1)


def _islands(ahead: int) -> Scene:
    """Two islands that know nothing of each other, until a member of one is told of the other."""

    def scene(simulation: Simulation, members: int) -> None:
        there = ahead or members // 2
        for number in range(members):
            island = number >= members - there
            first = members - there if island else 0
            if island:
                simulation.wall_offsets[f"node-{number}"] = 2 * HOUR
            simulation.add(f"node-{number}", join=[f"node-{first}"] if number != first else [])
            simulation.run_for(0.01)
        simulation.run_for(10.0)
        bridge = simulation.processes[f"node-{members - there}"]
        simulation.process("node-1").do(lambda node, now: node.join([bridge.address], now=now))
        settled(simulation, simulation.agreed, 90.0, 0.1)

    return scene
