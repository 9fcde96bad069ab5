"""The part of `attacks.py` about members that somebody invents, and about clusters that grow fast without that."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from measuring import progress, section, settled, spread, table

from swim_core import MemberDied
from swim_core.simulation import Link, Simulation

__all__ = ["ghosts", "growth"]

ATTACKS: Mapping[str, Mapping[str, int]] = {
    "none": {},
    "200 at once": {"at_once": 200},
    "50 a second": {"per_half_second": 25},
}


def ghosts(seeds: int, *, sizes: Sequence[int] = (3, 8, 32, 128)) -> None:
    """A member tells of others that don't exist: what that hides, and costs."""
    section("A lost host should be known to all within 6 s, at 45 datagrams a second a member, 10 kB to any third host")
    table(
        "members|told|to|of|known to the last|datagrams/s, first 2 s|then|to the third host|believed|false deaths",
        _ghosts(sizes),
    )


def _ghosts(sizes: Sequence[int]) -> Iterator[Sequence[object]]:
    sys.path.append(str(Path(__file__).parents[1]))
    from support.ghosts import Ghosts

    for members in sizes:
        for name, attack in ATTACKS.items():
            for to_all, one_host in ((False, False), (True, False), (True, True)) if attack else ((False, False),):
                progress(f"{members} members, {name}")
                cluster = Ghosts(members, to_all=to_all, one_host=one_host)
                at_once, per_half_second = attack.get("at_once", 0), attack.get("per_half_second", 0)
                lost_after = 30.0 if per_half_second else 5.0
                toll = cluster.run(at_once=at_once, per_half_second=per_half_second, lost_after=lost_after)
                yield (
                    members,
                    name,
                    "all" if to_all else "one",
                    "one host" if one_host else "many hosts",
                    f"{max(toll.known):.2f} s",
                    f"{toll.first:.0f}",
                    f"{toll.worst:.0f}",
                    f"{toll.to_third / 1000:.1f} kB",
                    toll.believed,
                    toll.false_deaths,
                )


def growth(seeds: int) -> None:
    """Many join at once, and islands merge: how soon all agree."""
    section("It should be no slower than the table in docs/decisions.md says")
    table("what|loss|all agree after (median / worst)|datagrams|MB|deaths", _growth(seeds))


def _growth(seeds: int) -> Iterator[Sequence[object]]:
    for what, old, new in (("join", 100, 1), ("join", 100, 100), ("join", 10, 300), ("merge", 100, 100)):
        for loss in (0.0, 0.1):
            runs = []
            for seed in range(seeds):
                progress(f"{new} {what} {old}, loss {loss:.0%}, seed {seed}")
                runs.append(_grow(what, old, new, loss, seed))
            times, datagrams, sizes, deaths = zip(*runs, strict=True)
            yield f"{new} {what} {old}", f"{loss:.0%}", spread(times), max(datagrams), f"{max(sizes):.1f}", sum(deaths)


def _grow(what: str, old: int, new: int, loss: float, seed: int) -> tuple[float, int, float, int]:
    with Simulation(f"grow/{seed}", tripwires=True, link=Link(loss=loss)) as simulation:
        members = list(simulation.start_formed(old))
        if what == "merge":
            first = simulation.add("b0")
            for number in range(1, new):
                simulation.add(f"b{number}", join=[first])
        simulation.run_for(30.0 if what == "merge" else 10.0)
        sent = [0, 0]

        def tap(fate: str, source: object, destination: object, payload: bytes) -> None:
            if fate == "sent":
                sent[0] += 1
                sent[1] += len(payload)

        simulation.network.tap = tap
        if what == "merge":
            address = members[0].node.local.address
            first.do(lambda node, now: node.join([address], now=now))
        else:
            for number in range(new):
                seeds = [members[number % old], members[(number * 7 + 1) % old]]
                simulation.add(f"new{number}", join=seeds)
        took = settled(simulation, simulation.agreed, 60.0, 0.05)
        died = sum(len(process.told(MemberDied)) for process in simulation.running())
        return took, sent[0], sent[1] / 1e6, died
