"""Experiments 5 and 6 of `rules.py`: joining, what a stranger can make members send, and the flood's credit."""

import math
from collections.abc import Callable, Iterator, Sequence
from unittest.mock import patch

from measuring import events, messages, section, settled, spread, table

import swim_core.native.dissemination.gossip
from swim_core import Address, BroadcastReceived, Config, MemberDied, MemberSuspected, State
from swim_core.address import pack as pack_address
from swim_core.member import Rule
from swim_core.native.wire.claim import EPOCH_BITS, Claim, Verdict
from swim_core.native.wire.datagram import Codec, encode_item
from swim_core.native.wire.hashing import Hashes
from swim_core.native.wire.messages import (
    Ack,
    Announce,
    Broadcast,
    ClaimOf,
    Join,
    JoinAck,
    NotMe,
    Number,
    PageEntry,
    Ping,
    PingReq,
    Poll,
    SyncPage,
    SyncPush,
    SyncReq,
    UserMessage,
    Vote,
    VoteKind,
    Want,
    WantClaim,
)
from swim_core.simulation import Link, Process, Simulation
from swim_core.simulation.cluster import START_MS

__all__ = ["credit", "joins", "strangers"]


# ---------------------------------------------------------------------- 5: the two-step JOIN


def joins(seeds: int) -> None:
    """(u) Two-step JOIN: storms, islands, one's own address among the seeds, and what a stranger gets back."""
    section("All start at one instant, 1 s after the seeds; sent until all agree")
    header = "n | seeds | loss | all agree, s | datagrams per joiner | kB per joiner | longest queue of items"
    table(f"{header} | most datagrams at one node in 10 ms | falsely suspected, dead", _storms(seeds))
    section("Islands of 10 that start apart; one member of each names one of the next island")
    table("islands | cut apart for | all agree after, s", _merges(seeds))
    section("A seed list that holds one's own address, 60 s")
    table("what | members seen | join sent by the first", _selves())


def strangers(_seeds: int) -> None:
    """(u) No reflection pays: what a stranger gets back, and what a forged claim costs whoever it names."""
    section("What one stranger gets back, bytes per byte it sent, n = 5 (must not exceed 1)")
    table("message | bytes | one datagram | 10 a second for 10 s", _strangers())
    section("The same with the padding that pays best, one datagram")
    table("message | padding | bytes | bytes back | ratio", _padded())
    section("What a forged claim makes members send to the address it names, within 10 min, n = 5")
    table("claim, sent once by a stranger | bytes sent | bytes at that address | ratio", _named_victims())


def _storms(seeds: int) -> Iterator[Sequence[object]]:
    for members in (20, 100, 300):
        for known in (1, 3):
            for loss in (0.0, 0.1, 0.3):
                runs = [_storm(seed, members, known, loss) for seed in range(seeds if members < 300 else 1)]
                took, datagrams, size, queue, burst, suspected, died = zip(*runs, strict=True)
                yield (
                    *(members, known, f"{loss:.0%}", spread(took)),
                    *(f"{sum(column) / len(runs):.{digits}f}" for column, digits in ((datagrams, 0), (size, 1))),
                    *(max(queue), max(burst), f"{sum(suspected)}, {sum(died)}"),
                )


class _Arrivals:
    """A tap that finds the most datagrams which reach one address within 10 ms."""

    def __init__(self, simulation: Simulation) -> None:
        self.most = 0
        self._simulation = simulation
        self._counts: dict[tuple[Address, int], int] = {}

    def __call__(self, what: str, source: Address, destination: Address, payload: bytes) -> None:
        if what == "delivered":
            key = (destination, int(self._simulation.now * 100))
            count = self._counts[key] = self._counts.get(key, 0) + 1
            self.most = max(self.most, count)


def _storm(seed: int, members: int, known: int, loss: float) -> tuple[float, float, float, int, int, int, int]:
    with Simulation(f"{seed}/storm/{members}/{known}/{loss}", link=Link(loss=loss)) as simulation:
        seats = [simulation.add(f"node-{number}", join=["node-0"] if number else []) for number in range(known)]
        simulation.run_for(1.0)
        begun, arrivals = simulation.now, _Arrivals(simulation)
        simulation.network.tap = arrivals
        for number in range(known, members):
            simulation.add(f"node-{number}", join=seats)
        queue = 0

        def agreed() -> bool:
            nonlocal queue
            queue = max(queue, *(process.node.statistics().pending for process in simulation.running()))
            return all(len(p.node.members()) == members for p in simulation.running()) and simulation.agreed()

        settled(simulation, agreed, 120.0, 0.02 if members < 100 else 0.1)
        took, all_ = simulation.now - begun, [process.node.statistics() for process in simulation.running()]
        told = events(simulation.running(), MemberSuspected, MemberDied)
        return (
            took if simulation.agreed() else math.inf,
            sum(each.datagrams_sent for each in all_) / members,
            sum(each.bytes_sent for each in all_) / members / 1000,
            queue,
            arrivals.most,
            sum(isinstance(event, MemberSuspected) for _, _, event in told),
            sum(isinstance(event, MemberDied) for _, _, event in told),
        )


def _merges(seeds: int) -> Iterator[Sequence[object]]:
    for islands in (2, 3):
        for apart in (0.0, 20.0, 120.0):
            yield islands, f"{apart:g} s", spread([_merge(seed, islands, apart) for seed in range(seeds)], 1)


def _merge(seed: int, islands: int, apart: float) -> float:
    with Simulation(f"{seed}/islands/{islands}/{apart}", link=Link(loss=0.01)) as simulation:
        groups: list[list[Process]] = [[] for _ in range(islands)]
        for number in range(10):
            for island, group in enumerate(groups):
                seeds = [group[0]] if group else []
                if number == 2 and island:
                    seeds.append(groups[island - 1][0])
                group.append(simulation.add(f"{island}-{number}", join=[]))
                if apart:
                    simulation.partition(*groups)
                group[-1].do(lambda node, now, seeds=seeds: node.join([s.address for s in seeds], now=now))  # type: ignore[misc]
        simulation.run_for(apart)
        simulation.heal()
        return settled(simulation, simulation.agreed, 300.0, 0.05)


class _Alias:
    """Another address of a process's host: what comes there reaches the process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def receive(self, payload: bytes, source: Address) -> None:
        self._process.receive(payload, source)

    def refused(self, destination: Address, quoted: bytes) -> None:
        """Nothing is ever sent from here."""


def _selves() -> Iterator[Sequence[object]]:
    mine, other, alias = Address("10.9.0.1", 7946), Address("10.9.0.2", 7946), Address("10.9.0.3", 7946)
    scenes = {
        "alone, its own address": ([mine], False),
        "alone, its own under another address": ([alias], False),
        "two, both list both": ([mine, other], True),
        "two, both list both and an alias": ([alias, mine, other], True),
    }
    for what, (seeds, two) in scenes.items():
        with Simulation(f"self/{what}") as simulation:
            first = simulation.add("a", address=mine)
            simulation.network.bind(alias, _Alias(first))
            first.do(lambda node, now: node.join(seeds, now=now))  # noqa: B023
            if two:
                simulation.add("b", address=other, join=seeds)
            simulation.run_for(60.0)
            seen = [len(process.node.members()) for process in simulation.running()]
            yield what, ", ".join(map(str, seen)), messages([first])["join"]


# ---------------------------------------------------------------------- 5: amplification

STRANGER, VICTIM = Address("10.200.0.9", 7946), Address("10.200.0.66", 7946)
UNKNOWN = 0x1234_5678_9ABC_DEF0


class _Listener:
    """Counts the bytes that reach an address."""

    def __init__(self) -> None:
        self.received = 0

    def receive(self, payload: bytes, source: Address) -> None:
        self.received += len(payload)

    def refused(self, destination: Address, quoted: bytes) -> None:
        """A refusal has no bytes of ours."""


class _Scene:
    """Five members, a broadcast to ask for, and a stranger with an address of its own."""

    def __init__(self, warm: float = 5.0) -> None:
        self.simulation = Simulation("stranger")
        self.target, self.known, *_ = self.simulation.start_formed(5)
        self.simulation.run_for(warm)
        self.simulation.broadcast(self.target, bytes(200))
        self.simulation.run_for(3.0)
        self.hashes = Hashes(Config().cluster, Config().rings)
        self.stranger, self.victim = _Listener(), _Listener()
        self.simulation.network.bind(STRANGER, self.stranger)
        self.simulation.network.bind(VICTIM, self.victim)

    def id_of(self, process: Process) -> int:
        local = process.node.local
        return self.hashes.short_id(local.name, local.epoch)

    def claim(self, name: str, address: Address, *, age: int = 0, state: State = State.ALIVE) -> Claim:
        epoch = START_MS - age << EPOCH_BITS
        verdict = Verdict(UNKNOWN, Rule.SILENT, START_MS) if state is not State.ALIVE else None
        return Claim(name, epoch, pack_address(address), 0, state, b"" if state.live else None, verdict)

    def datagram(self, message: object = None, **load: object) -> bytes:
        raws = {kind: [encode_item(item)] for kind, item in load.items()}  # type: ignore[arg-type]
        if message is None:
            return Codec(self.hashes.label).pack(0, UNKNOWN, **raws)  # type: ignore[arg-type]
        return Codec(self.hashes.label).pack(0, UNKNOWN, encode_item(message), **raws)  # type: ignore[arg-type]

    def send(self, data: bytes) -> None:
        self.simulation.network.send(STRANGER, self.target.address, data)


def _questions(scene: _Scene) -> dict[str, bytes]:
    target, known = scene.id_of(scene.target), scene.id_of(scene.known)
    wrong = scene.claim(scene.known.name, scene.known.address, age=1000)
    stale = scene.claim(scene.target.name, scene.target.address, age=1000)
    now = START_MS + int(scene.simulation.now * 1000)
    join = Join(7, "guest", 1000, 4, 5000, 1200)
    other_join = Join(7, scene.known.name, 1000, 4, 5000, 1200)
    local = scene.target.node.local
    plain: dict[str, object] = {
        "PING": Ping(7, target, now),
        "PING to another id": Ping(7, known, now),
        "PING that accuses": Ping(7, target, now, 0),
        "ACK": Ack(7, 7),
        "PING_REQ": PingReq(7, wrong),
        "VOTE": Vote(known, 0, 7, VoteKind.SILENT, 5000),
        "POLL": Poll(known, 0, 7),
        "JOIN, bare": join,
        "JOIN, bare, a name that is held": other_join,
        "JOIN, padded, a name that is held": Join(7, scene.known.name, 1000, 4, 5000, 1200, padding=bytes(750)),
        "JOIN with a wrong cookie": Join(7, "guest", 1000, 4, 5000, 1200, bytes(16), scene.claim("guest", STRANGER)),
        "JOIN_ACK": JoinAck(7, bytes(16), now, 1000, 4, 5000),
        "SYNC_REQ, bare": SyncReq(7, [0], 0),
        "SYNC_REQ, 128 buckets": SyncReq(7, [0] * 128, 0),
        "SYNC_REQ, padded": SyncReq(7, [0], 0, bytes(1100)),
        "SYNC_PAGE": SyncPage(7, None, b"\x01", [PageEntry(wrong, 0)]),
        "SYNC_PUSH": SyncPush([PageEntry(wrong, 0)]),
        "WANT_CLAIM": WantClaim(known, 7),
        "WANT_CLAIM of the receiver": WantClaim(target, 7),
        "CLAIM_OF nobody asked for": ClaimOf(7, scene.claim("guest", STRANGER)),
        "NOT_ME nobody asked for": NotMe(7, scene.claim("guest", STRANGER)),
        "ANNOUNCE": Announce(7946),
        "WANT": Want(target, [(1, 1)]),
        "WANT, padded": Want(target, [(1, 1)], bytes(300)),
        "MESSAGE": UserMessage(bytes(20)),
    }
    loads: dict[str, dict[str, object]] = {
        "an old claim about a member": {"claims": wrong},
        "an old claim about the receiver": {"claims": stale},
        "a number": {"numbers": Number(target, 5)},
        "a broadcast of nobody": {"broadcasts": Broadcast("nobody", 1, 1, bytes(50))},
        "a broadcast of a member": {"broadcasts": Broadcast(local.name, local.epoch, 1, bytes(200))},
        "nothing at all": {},
    }
    questions = {name: scene.datagram(message) for name, message in plain.items()}
    questions |= {name: scene.datagram(None, **load) for name, load in loads.items()}
    return questions


def _strangers() -> Iterator[Sequence[object]]:
    for name in _questions(_Scene()):
        ratios = []
        for repeats in (1, 100):
            scene = _Scene()
            data = _questions(scene)[name]
            for _ in range(repeats):
                scene.send(data)
                scene.simulation.run_for(0.1)
            scene.simulation.run_for(60.0)
            ratios.append(f"{scene.stranger.received / len(data) / repeats:.2f}")
        yield name, len(data), *ratios


def _padded() -> Iterator[Sequence[object]]:
    def question(scene: _Scene, what: str, padding: bytes) -> object:
        return {
            "JOIN": Join(7, scene.known.name, 1000, 4, 5000, 1200, padding=padding),
            "SYNC_REQ": SyncReq(7, [0], 0, padding),
            "WANT": Want(scene.id_of(scene.target), [(1, 1)], padding),
        }[what]

    for what in ("JOIN", "SYNC_REQ", "WANT"):
        best = (0.0, 0, 0, 0)
        for padding in range(0, 320, 5):
            scene = _Scene(warm=1.0)
            data = scene.datagram(question(scene, what, bytes(padding)))
            scene.send(data)
            scene.simulation.run_for(2.0)
            got = scene.stranger.received
            best = max(best, (got / len(data), padding, len(data), got))
        yield what, best[1], best[2], best[3], f"{best[0]:.2f}"


def _named_victims() -> Iterator[Sequence[object]]:
    makers: dict[str, Callable[[_Scene], Claim]] = {
        "an invented member there": lambda scene: scene.claim("guest", VICTIM),
        "a newer run of a member there": lambda scene: scene.claim(scene.known.name, VICTIM, age=-60_000),
    }
    for what, make in makers.items():
        scene = _Scene()
        data = scene.datagram(None, claims=make(scene))
        scene.send(data)
        scene.simulation.run_for(600.0)
        got = scene.victim.received
        yield what, len(data), got, f"{got / len(data):.0f}"


# ---------------------------------------------------------------------- 6: the flood's credit


def credit(seeds: int) -> None:
    """Deviation: a push may follow another at once up to 4 times, where the design says "at most every 20 ms"."""
    section("Broadcasts of 20 bytes: ms until the last member has each (median / worst over runs and items)")
    table("n | loss | what | credit | the last member, ms | datagrams per member in 0.9 s", _credits(seeds))


SCENES: dict[str, list[tuple[int, float]]] = {  # who (0: one member, else others), when
    "one alone": [(0, 0.0)],
    "two members, 5 ms apart": [(0, 0.0), (1, 0.005)],
    "ten members within 20 ms": [(number, 0.002 * number) for number in range(10)],
    "one member, 5 times in 20 ms": [(0, 0.005 * number) for number in range(5)],
    "one member, 40 times in 0.4 s": [(0, 0.01 * number) for number in range(40)],
}


def _credits(seeds: int) -> Iterator[Sequence[object]]:
    for members in (20, 128, 1000):
        for loss in (0.0, 0.05):
            for what, script in SCENES.items():
                if members == 1000 and (loss or len(script) > 10):
                    continue
                for pushes in (4, 2, 1) if members < 1000 else (4, 1):
                    with patch.object(swim_core.native.dissemination.gossip, "CREDIT", pushes):
                        runs = [
                            _flood(seed, members, loss, what, script) for seed in range(seeds if members < 1000 else 1)
                        ]
                    last = [1000 * took for run, _ in runs for took in run]
                    sent = sum(sent for _, sent in runs) / len(runs) / members
                    yield members, f"{loss:.0%}", what, pushes, spread(last, 1), f"{sent:.1f}"


def _flood(
    seed: int, members: int, loss: float, what: str, script: list[tuple[int, float]]
) -> tuple[list[float], float]:
    with Simulation(f"{seed}/{members}/{loss}/{what}", link=Link(loss=loss)) as simulation:
        processes = simulation.start_formed(members)
        simulation.run_for(1.0)
        begun, before = simulation.now, messages(processes)["gossip"]
        sent: dict[bytes, tuple[float, Process]] = {}

        def tell(who: int, number: int) -> None:
            origin, payload = processes[(who * 7 + seed) % members], number.to_bytes(20, "big")
            sent[payload] = simulation.now, origin
            simulation.broadcast(origin, payload)

        for number, (who, when) in enumerate(script):
            simulation.at(begun + when, tell, who, number)
        simulation.run_for(0.9)
        spent = messages(processes)["gossip"] - before
        simulation.run_for(10.0 if loss else 1.0)
        times: dict[bytes, list[float]] = {payload: [] for payload in sent}
        for _, time, event in events(processes, BroadcastReceived):
            if isinstance(event, BroadcastReceived):
                times[event.payload].append(time - sent[event.payload][0])
        return [max(took) if len(took) == members - 1 else math.inf for took in times.values()], spent
