"""A simulated cluster, one member of which tells of others that don't exist; what that costs, and what it hides."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import attrs

from support.datagrams import pack_datagram
from swim_core import Address, Config, MemberDied, State
from swim_core.address import pack
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.datagram import NIL, encode_item
from swim_core.native.wire.hashing import Hashes
from swim_core.simulation import Process, Simulation

__all__ = ["Ghosts", "Toll"]

AT_ONCE = 20  # claims in a datagram


@attrs.frozen
class Toll:
    """What came of it.

    Attributes:
        known: seconds until each survivor knew of the lost member.
        first: datagrams that a member sent in the worst second of the first two.
        worst: the same of those after.
        to_third: bytes to the third host to which most was sent.
        believed: members that anybody lists, the lost one's survivors left out.
        false_deaths: of members that live.
    """

    known: Sequence[float]
    first: float
    worst: float
    to_third: int
    believed: int
    false_deaths: int


class Ghosts:
    """A formed cluster, and its second member, which lies.

    Args:
        members: how many.
        one_host: whether all that it invents are at one host, else each is at its own.
        to_all: whether it tells all others, else one.
    """

    def __init__(self, members: int, *, one_host: bool = False, to_all: bool = False) -> None:
        self.simulation = Simulation(f"ghosts-{members}", config=Config.lan(), tripwires=True)
        self.processes: list[Process] = list(self.simulation.start_formed(members))
        self.simulation.run_for(30.0)
        self._one_host, self._to_all = one_host, to_all
        self._hashes = Hashes("", 4)
        self._told = 0
        self._lies: set[bytes] = set()
        self._sent = 0
        self._bytes: Counter[str] = Counter()
        self.simulation.network.tap = self._tap

    def _tap(self, fate: str, source: Address, destination: Address, payload: bytes) -> None:
        if fate == "sent" and payload not in self._lies:
            self._sent += 1
            self._bytes[destination.host] += len(payload)

    def tell(self, count: int) -> None:
        """Tell of this many more."""
        liar = self.processes[1].node.local
        others = [process for process in self.simulation.running() if process is not self.processes[1]]
        for start in range(0, count, AT_ONCE):
            claims = [encode_item(self._ghost(self._told + i)) for i in range(min(AT_ONCE, count - start))]
            self._told += len(claims)
            sender = self._hashes.short_id(liar.name, liar.epoch)
            data = pack_datagram(self._hashes.label, 2, sender, NIL, claims)
            self._lies.add(data)
            for other in others if self._to_all else [self.processes[2]]:
                self.simulation.network.send(liar.address, other.node.local.address, data)

    def _ghost(self, number: int) -> Claim:
        epoch = self.processes[1].node.local.epoch + number
        host, port = ("10.200.0.1", 10_000 + number) if self._one_host else (_host(number), 7946)
        return Claim(f"ghost-{number}", epoch, pack(Address(host, port)), 0, State.ALIVE, b"")

    def run(self, *, at_once: int = 0, per_half_second: int = 0, lost_after: float, crash: bool = False) -> Toll:
        """Run it for a minute, in which a member's host is lost, or its process killed."""
        simulation, members = self.simulation, len(self.processes)
        victim = self.processes[0 if members == 3 else 6]
        address = {process.node.local.address.host for process in self.processes}
        self._sent = 0
        self._bytes.clear()
        start = simulation.now
        lost = start + lost_after
        self.tell(at_once)
        sent = []
        for _ in range(120):
            self.tell(per_half_second)
            if victim in simulation.running() and simulation.now >= lost:
                lost = simulation.now
                (simulation.crash if crash else simulation.lose_host)(victim)
            before = self._sent
            simulation.run_for(0.5)
            sent.append((self._sent - before) / members)
        survivors = [process for process in self.processes if process is not victim]
        known = [min(p.times(MemberDied, victim.name), default=float("inf")) - lost for p in survivors]
        return Toll(
            sorted(known),
            max(map(sum, pairwise(sent[:4]))),
            max(map(sum, pairwise(sent[4:]))),
            max((size for host, size in self._bytes.items() if host not in address), default=0),
            len({m.name for p in survivors for m in p.node.members()} - {p.name for p in survivors}),
            sum(event.member.name != victim.name for p in survivors for event in p.told(MemberDied)),
        )


def _host(number: int) -> str:
    return f"10.{200 + number // 65_536}.{number // 256 % 256}.{number % 256}"
