"""Experiments 3, 4 and 7 of `rules.py`: helpers that forget, nodes that hear nobody, and deaths that are old news."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from unittest.mock import patch

from measuring import count, events, messages, section, settled, spread, table

import swim_core.native.claims.merging
import swim_core.native.detection.accuser
import swim_core.native.detection.helper
from swim_core import Event, Isolated, MemberDied, MemberRecovered, MemberSuspected, Reconnected, Rule
from swim_core.native.claims.merging import ClaimMerger
from swim_core.native.datagrams.sender import Sender
from swim_core.native.router import Router
from swim_core.native.table.entry import Entry
from swim_core.native.wire.claim import Claim
from swim_core.simulation import Link, Process, Simulation
from swim_core.simulation.cluster import START_MS

__all__ = ["deaf", "held_back", "repeats"]

S = 5.0  # the stall tolerance of the lan preset, seconds


# ---------------------------------------------------------------------- 3: how often a helper is asked


def repeats(seeds: int) -> None:
    """(u) PING_REQ every 2 s, and helpers forget an accuser unheard for 5 s."""
    section("A lost host: seconds until the last member knows; datagrams beyond those of a quiet cluster")
    table(
        "n | loss | PING_REQ every, forgotten after | known | datagrams | of them ping_req | votes | polls",
        _lost(seeds),
    )
    section("Stalls of 4.9 s (S = 5 s) of 4 of 24 members at a time, 10 times in 100 s")
    table(
        "loss | PING_REQ every, forgotten after | stalls | suspected | declared dead | healthy ones declared dead",
        _stalls(seeds),
    )
    section(
        "The accuser ends once it has asked, and only its helpers can't hear the accused, n = 24: how long they watch"
    )
    table("an accuser is forgotten after | last helper stopped | pings of helpers then", _orphans(seeds))


VARIANTS = ((1.0, 5.0), (2.0, 5.0), (4.0, 5.0), (math.inf, 5.0), (2.0, 2.5), (math.inf, 2.5))
LOSSES = (0.0, 0.05, 0.2, 0.3)


def _asking(again: float, life: float) -> ExitStack:
    stack = ExitStack()
    stack.enter_context(patch.object(swim_core.native.detection.accuser, "ASK_AGAIN", again))
    stack.enter_context(patch.object(swim_core.native.detection.helper, "ACCUSER_LIFE", life))
    return stack


def _named(again: float, life: float) -> str:
    return f"{'never' if math.isinf(again) else f'{again:g} s'}, {life:g} s"


def _lost(seeds: int) -> Iterator[Sequence[object]]:
    for members in (5, 24):
        for loss in LOSSES:
            for variant in VARIANTS:
                with _asking(*variant):
                    runs = [_lost_host(seed, members, loss) for seed in range(seeds)]
                known, *rest = zip(*runs, strict=True)
                means = [f"{sum(column) / len(runs):.0f}" for column in rest]
                yield members, f"{loss:.0%}", _named(*variant), spread(known), *means


def _lost_host(seed: int, members: int, loss: float) -> tuple[float, float, float, float, float]:
    with Simulation(f"{seed}/lost/{members}/{loss}", link=Link(loss=loss)) as simulation:
        simulation.start_formed(members)
        simulation.run_for(60.0)
        quiet = simulation.network.traffic.sent / 60.0 / members
        simulation.run_for(seed * 0.6180339887 % 1.0)
        simulation.lose_host("node-1")
        others = simulation.running()
        lost, sent, before = simulation.now, simulation.network.traffic.sent, messages(others)

        def known() -> bool:
            return all(process.times(MemberDied, "node-1") for process in others)

        settled(simulation, known, 60.0)
        took = max(next(iter(process.times(MemberDied, "node-1")), math.inf) for process in others) - lost
        spent = simulation.network.traffic.sent - sent - quiet * len(others) * (simulation.now - lost)
        kinds = messages(others) - before
        return took, spent, kinds["ping_req"], kinds["vote"], kinds["poll"]


def _stalls(seeds: int) -> Iterator[Sequence[object]]:
    for loss in LOSSES:
        for variant in VARIANTS:
            with _asking(*variant):
                runs = [_stalling(seed, loss) for seed in range(seeds)]
            yield (f"{loss:.0%}", _named(*variant), *(sum(column) for column in zip(*runs, strict=True)))


def _stalling(seed: int, loss: float) -> tuple[int, int, int, int]:
    """Stalls; members falsely suspected, declared dead; healthy ones declared dead, each counted once a stall."""
    with Simulation(f"{seed}/stalls/{loss}", link=Link(loss=loss)) as simulation:
        processes = simulation.start_formed(24)
        simulation.run_for(12.0)
        suspected = dead = healthy = 0
        for turn in range(10):
            stalled = [processes[(4 * turn + place + seed) % 24] for place in range(4)]
            begun = simulation.now
            for place, process in enumerate(stalled):
                simulation.after(0.31 * place, simulation.pause, process, 4.9)
            simulation.run_for(10.0)
            names = {process.name for process in stalled}
            told = {
                (type(event), event.member.name)
                for _, _, event in events(processes, since=begun)
                if isinstance(event, MemberSuspected | MemberDied)
            }
            suspected += sum(kind is MemberSuspected for kind, _ in told)
            dead += sum(kind is MemberDied and name in names for kind, name in told)
            healthy += sum(kind is MemberDied and name not in names for kind, name in told)
        return 40, suspected, dead, healthy


def _orphans(seeds: int) -> Iterator[Sequence[object]]:
    for life in (2.5, 5.0, 10.0, math.inf):
        with patch.object(swim_core.native.detection.helper, "ACCUSER_LIFE", life):
            runs = [_orphan(seed) for seed in range(seeds)]
        stopped, pings = zip(*runs, strict=True)
        yield "never" if math.isinf(life) else f"{life:g} s", spread(stopped, 1), f"{sum(pings) / len(pings):.0f}"


def _orphan(seed: int) -> tuple[float, float]:
    """Helpers that can't hear the accused, though all others can; their accuser ends."""
    with Simulation(f"{seed}/orphan") as simulation:
        processes = simulation.start_formed(24)
        simulation.run_for(12.0 + 0.19 * seed)
        subject = processes[1]
        for other in processes:
            if other is not subject:
                simulation.network.cut(subject.address, other.address)
        simulation.network_changed()
        simulation.run_until(lambda: sum(p.node.statistics().watches for p in processes) >= 4, 10.0)
        accusers = [process for process in processes if process.node.statistics().messages_sent.get("ping_req")]
        watchers = [p for p in processes if p.node.statistics().watches and p not in accusers]
        for process in accusers:
            simulation.crash(process, refusals=False)
        ended, before = simulation.now, messages(watchers)
        for peer in simulation.running():  # only the helpers go on hearing nothing
            if peer not in watchers:
                simulation.network.mend(subject.address, peer.address)
        simulation.network_changed()
        settled(simulation, lambda: not any(p.node.statistics().watches for p in watchers), 60.0, 0.05)
        return simulation.now - ended, (messages(watchers) - before)["ping"] - (simulation.now - ended) * len(watchers)


# ---------------------------------------------------------------------- 4: a node that hears nobody


def deaf(seeds: int) -> None:
    """(u) Deaf for 3 S: members() becomes the node itself."""
    header = "n | cut | for | smaller side told, per member: dead, dead ISOLATED, Isolated, recovered"
    header += " | larger: dead, recovered | agree after the heal | told, declared dead after it | lost 60 s later"
    section("Partitions of 1 or half of n members, for 1, 2, 4 and 10 S; loss 1 %")
    table(header, _partitions(seeds))
    section("One-way cuts of one member from all others, 20 s and 10 min; loss 1 %")
    table(header, _one_way(seeds))
    section("As first designed, where any datagram of a member ends the isolation and not an ack alone")
    with patch.object(Router, "_hear", _hearing_is_enough):
        table(header, _one_way(seeds))


_hear = Router._hear


def _hearing_is_enough(self: Router, sender: Sender, entry: Entry, now: float, *, accuses: bool = False) -> None:
    """In place of `Router._hear`: any datagram of a live member ends what deafness had led to."""
    _hear(self, sender, entry, now, accuses=accuses)
    if entry.live and self._health.isolated:
        self.reports.reconnected(now)


Cut = Callable[[Simulation, list[Process], list[Process]], None]


def _divide(simulation: Simulation, few: list[Process], many: list[Process]) -> None:
    simulation.partition(few)


def _can_only_send(simulation: Simulation, few: list[Process], many: list[Process]) -> None:
    for process in many:
        simulation.cut(process, few[0])


def _can_only_hear(simulation: Simulation, few: list[Process], many: list[Process]) -> None:
    for process in many:
        simulation.cut(few[0], process)


def _partitions(seeds: int) -> Iterator[Sequence[object]]:
    for members in (4, 16, 64):
        for few in (1, members // 2):
            for times in (1, 2, 4, 10):
                runs = [_cut_off(seed, members, few, times * S, _divide) for seed in range(seeds)]
                yield members, f"{few} from {members - few}", f"{times} S", *_sides(runs)


def _one_way(seeds: int) -> Iterator[Sequence[object]]:
    for members in (4, 16, 64):
        for what, cut in {"sends, hears nobody": _can_only_send, "hears, nobody hears it": _can_only_hear}.items():
            for seconds in (20.0, 600.0):
                runs = [_cut_off(seed, members, 1, seconds, cut) for seed in range(seeds)]
                yield members, what, f"{seconds:g} s", *_sides(runs)


Side = tuple[list[float], list[float], float, float, float, float]


def _sides(runs: Sequence[Side]) -> tuple[str, ...]:
    few, many, agreed, late, dead, left = zip(*runs, strict=True)

    def mean(side: Sequence[Sequence[float]]) -> str:
        return ", ".join(f"{sum(column) / len(side):.4g}" for column in zip(*side, strict=True))

    return mean(few), mean(many), spread(agreed, 1), f"{sum(late):g}, {sum(dead):g}", f"{sum(left):g}"


def _cut_off(seed: int, members: int, few: int, seconds: float, cut: Cut) -> Side:
    with Simulation(f"{seed}/{members}/{few}/{seconds}/{cut.__name__}", link=Link(loss=0.01)) as simulation:
        processes = simulation.start_formed(members)
        simulation.run_for(12.0 + 0.19 * seed)
        small, large = processes[-few:], processes[:-few]
        cut(simulation, small, large)
        simulation.run_for(seconds)
        simulation.heal()
        healed = simulation.now
        agreed = settled(simulation, simulation.agreed, 300.0, 0.05)
        simulation.run_for(60.0)
        isolated = [e for e in _deaths(small) if e.evidence is not None and e.evidence.rule is Rule.ISOLATED]
        told_small = [
            len(_deaths(small)) - len(isolated),
            len(isolated),
            count(small, Isolated),
            count(small, MemberRecovered),
        ]
        assert count(small, Isolated) >= count(small, Reconnected)
        told_large = [len(_deaths(large)), count(large, MemberRecovered)]
        left = sum(members - len(process.node.members()) for process in processes)
        dead = [event for event in _deaths(processes, since=healed + 1e-6) if _given(event) > healed + 0.1]
        late = count(processes, MemberDied, since=healed + 1e-6)
        return [n / few for n in told_small], [n / len(large) for n in told_large], agreed, late, len(dead), left


def _deaths(processes: Sequence[Process], since: float = 0.0) -> list[MemberDied]:
    return [event for _, _, event in events(processes, MemberDied, since=since) if isinstance(event, MemberDied)]


def _given(death: MemberDied) -> float:
    """When the verdict was given, in virtual time; clocks are up to 20 ms off it."""
    return (death.evidence.cluster_time - START_MS) / 1000.0 if death.evidence is not None else math.inf


# ---------------------------------------------------------------------- 7: deaths that are old news


def held_back(seeds: int) -> None:
    """(2) Old deaths are put to their subject before they are believed."""
    section("Two halves apart for 30 s, loss 1 %: what is declared dead after the heal")
    table(
        "n | rule | events Died after the heal, all runs | members so declared | runs with any | all agree after",
        _heals(seeds),
    )


def _believe_at_once(self: ClaimMerger, claim: Claim, now: float, *, news: bool) -> None:
    self.believe(claim, now)


_receive = ClaimMerger.receive


def _page_like_a_flood(
    self: ClaimMerger, claim: Claim, now: float, *, sender: Sender | None = None, teller: Entry | None = None
) -> bool:
    with patch.object(ClaimMerger, "_is_paged", lambda *_: False):
        return _receive(self, claim, now, sender=sender, teller=teller)


def _page_is_news(
    self: ClaimMerger, claim: Claim, now: float, *, sender: Sender | None = None, teller: Entry | None = None
) -> bool:
    merging = swim_core.native.claims.merging
    with (
        patch.object(ClaimMerger, "_is_paged", lambda *_: False),
        patch.object(merging, "FRESH", math.inf if sender is None and teller is not None else merging.FRESH),
    ):
        return _receive(self, claim, now, sender=sender, teller=teller)


def _heals(seeds: int) -> Iterator[Sequence[object]]:
    rules: dict[str, list[tuple[object, str, object]]] = {
        "as written": [],
        "no hold: old deaths merge at once": [(ClaimMerger, "_hold_back", _believe_at_once)],
        "floods always merge, pages are held": [(swim_core.native.claims.merging, "FRESH", math.inf)],
        "pages are held if old, like floods": [(ClaimMerger, "receive", _page_like_a_flood)],
        "pages merge at once, old floods are held": [(ClaimMerger, "receive", _page_is_news)],
        "held for 0.2 s": [(swim_core.native.claims.merging, "OLD_HOLD", 0.2)],
    }
    for members in (6, 16, 64, 128):
        for rule, changes in rules.items():
            runs = [_heal(seed, members, changes) for seed in range(seeds if members < 64 else max(1, seeds // 2))]
            died, declared, agreed = zip(*runs, strict=True)
            some = f"{sum(n > 0 for n in died)} of {len(runs)}"
            yield members, rule, sum(died), sum(declared), some, spread(agreed, 1)


def _heal(seed: int, members: int, changes: list[tuple[object, str, object]]) -> tuple[int, int, float]:
    with Simulation(f"{seed}/heal/{members}", link=Link(loss=0.01)) as simulation:
        processes = simulation.start_formed(members)
        simulation.run_for(10.0 + 0.19 * seed)
        simulation.partition(processes[: members // 2])
        simulation.run_for(30.0)
        patches = [patch.object(*change) for change in changes]
        for change in patches:
            change.start()
        simulation.heal()
        healed = simulation.now
        agreed = settled(simulation, simulation.agreed, 120.0, 0.05)
        simulation.run_for(10.0)
        for change in patches:
            change.stop()
        told: list[Event] = [event for _, _, event in events(processes, MemberDied, since=healed)]
        return len(told), len({event.member.name for event in told if isinstance(event, MemberDied)}), agreed
