"""Any datagrams at a member of a simulated cluster: what its members really say, damaged, spliced and made up.

The cluster lives on meanwhile: it joins, broadcasts, pings. Without a key what is damaged is the whole datagram, header
and all; with one it is the text that a member's own seal then hides, in that member's name.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from time import perf_counter

from support.inside import parts_of
from support.outsider import KEY, Outsider
from swim_core import Address, NameTaken, Node
from swim_core.native.wire.hashing import Hashes
from swim_core.simulation import Process, Simulation
from swim_core.simulation.eavesdropper import Eavesdropper

__all__ = ["AT_ONCE", "Fuzzer", "Measure", "seconds"]

Measure = Callable[[Callable[[], object]], float]
"""What it costs to do something."""

MEMBERS = 16
AT_ONCE = 200  # datagrams between two moments of the cluster
MOMENT = 0.02  # seconds
WARM = 100  # datagrams of each kind
STRANGER = Address("198.51.100.7", 4_000)
# Bytes with a meaning in MessagePack: lengths, numbers near their limits, nil, lists of odd sizes.
ODD = bytes.fromhex("00017f808f909192959fa0bfc0c4c5c6cacbcccdcecfd9dadbdcdddedfff")


def seconds(work: Callable[[], object]) -> float:
    """How long it takes to do something."""
    began = perf_counter()
    work()
    return perf_counter() - began


class Fuzzer:
    """One cluster, and one member of it that is told anything.

    Args:
        seed: of all that is drawn.
        keys: whether the cluster seals.
        inside: whether what is told is sealed with its key.
    """

    def __init__(self, seed: int, *, keys: bool = False, inside: bool = False) -> None:
        self.random = Random(f"fuzz/{seed}/{keys}/{inside}")
        self.simulation = Simulation(seed, keys=KEY if keys else None)
        outsider = Outsider(self.simulation)
        self.simulation.start_formed(MEMBERS)
        self._live_on()
        self.simulation.add("late", join=["node-1"])
        self.simulation.run_for(3.0)
        self.target: Process = self.simulation.process("node-0")
        self.others = [process for process in self.simulation.running() if process is not self.target]
        self._sealing, self._inside = keys, inside
        self._sources = [process.address for process in self.others] * 3 + [STRANGER, self.target.address]
        self._heard = list(dict.fromkeys((payload, source) for source, _, payload in outsider.recorded))
        payloads = [payload for payload, _ in self._heard]
        self._texts = self._opened(payloads) if inside else payloads
        outsider.recorded.clear()

    @property
    def node(self) -> Node:
        """The member that the datagrams go to."""
        assert isinstance(self.target.node, Node)
        return self.target.node

    def drawn(self) -> tuple[bytes, Address]:
        """A datagram, and where it claims to come from."""
        random, text = self.random, bytearray(self.random.choice(self._texts))
        for _ in range(random.choice((0, 1, 1, 1, 2, 4, 16))):
            self._damage(text)
        data = bytes(text)
        if self._inside:
            process = random.choice(self.others)
            return self._sealed(process, data), process.address
        return data, random.choice(self._sources)

    def honest(self) -> Iterator[tuple[bytes, Address]]:
        """What members really say, each as if it came for the first time."""
        if not self._sealing:
            yield from self._heard
            return
        for text in self._texts if self._inside else self._opened([payload for payload, _ in self._heard]):
            process = self.random.choice(self.others)
            yield self._sealed(process, text), process.address

    def warm_up(self) -> None:
        """Tell the member some of what others say, and that cut short, which nobody can read.

        A cluster that was just made has a processor's caches full of its making, and what is told first takes up to
        five times as long as later on.
        """
        for data, source in list(self.honest())[:WARM]:
            self.feed(data, source)
        for text in self._texts[:WARM]:
            cut = text[: len(text) * 2 // 3]
            process = self.random.choice(self.others)
            self.feed(self._sealed(process, cut) if self._inside else cut, process.address)

    def feed(self, data: bytes, source: Address, measure: Measure = seconds) -> float:
        """Tell the member that; returns what it cost. Whatever it raises comes out."""
        now = self.target.clock
        return measure(lambda: self.node.feed_datagram(data, source, now=now))

    def go_on(self) -> None:
        """Let the cluster run for a moment, so that the member's answers leave, and others speak to it."""
        self.target.do(lambda node, now: None)
        if not self.random.randrange(20):
            self._live_on()
        self.simulation.run_for(MOMENT)

    def _live_on(self) -> None:
        with suppress(NameTaken):  # which may have been said of it
            self._speak()

    def _speak(self) -> None:
        self.simulation.broadcast(f"node-{self.random.randrange(1, MEMBERS)}", self.random.randbytes(20))
        self.simulation.update_metadata("node-2", {"at": str(self.simulation.now)})

    def _damage(self, text: bytearray) -> None:
        random, at = self.random, self.random.randrange(len(text) + 1)
        match random.randrange(7):
            case 0 if text:
                text[at % len(text)] ^= 1 << random.randrange(8)
            case 1 if text:
                text[at % len(text)] = random.choice(ODD)
            case 2:
                del text[at : at + random.choice((1, 1, 2, 8, 100))]
            case 3:
                text[at:at] = bytes((random.choice(ODD),)) + random.randbytes(random.choice((0, 1, 2, 4, 8)))
            case 4:  # a piece of another one
                other = random.choice(self._texts)
                start = random.randrange(len(other))
                text[at : at + random.randrange(20)] = other[start : start + random.randrange(1, 60)]
            case 5:
                text[at : at + 8] = random.choice((bytes(8), b"\xff" * 8, random.randbytes(8)))
            case _:  # a piece again and again
                text[at:at] = text[at : at + random.randrange(1, 40)] * random.randrange(1, 30)
        del text[9_000:]

    def _opened(self, payloads: list[bytes]) -> list[bytes]:
        """The plain texts of what members sealed."""
        hashes = Hashes("", 4)
        runs = [
            hashes.short_id(process.node.local.name, process.node.local.epoch) for process in self.simulation.running()
        ]
        eavesdropper = Eavesdropper(KEY, "", lambda: runs)
        found = (eavesdropper.open(payload, payload[1], 0.0) for payload in payloads)
        return [opened[1][2:] for opened in found if isinstance(opened, tuple)]

    def _sealed(self, process: Process, text: bytes) -> bytes:
        sealer, of_target = parts_of(process.node).context.sealer, parts_of(self.node).context.sealer
        assert sealer is not None
        assert of_target is not None
        head = text[0] if text and 0x90 <= text[0] < 0x9F else 0x91
        bound = self.random.choice((0, of_target.own))
        return sealer.seal(2, sealer.own, bytes((head,)) + text[1:], sealer.ring.preferred, bound, process.clock)
