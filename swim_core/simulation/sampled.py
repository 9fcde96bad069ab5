"""A sample of a large cluster: one member of each kind is simulated, and stands for its twins."""

from collections.abc import Iterable
from typing import cast

from swim_core.address import Address
from swim_core.member import Member
from swim_core.native.config import Config
from swim_core.tripwire import Tripwire

from .formed import CanAdopt, formed_by_members, without_collections
from .interchange import Interchange
from .link import Link
from .network import Endpoint, Network
from .process import Process
from .simulation import Simulation
from .timeline import Schedule
from .tripwires import Wires
from .twins import Twins

__all__ = ["Sampled"]

SEEDS = 3


class _Network(Network):
    """Has those that are simulated receive what is sent to their twins."""

    def __init__(
        self, seed: object, twins: Twins, interchange: Interchange, link: Link | None, timeline: Schedule
    ) -> None:
        super().__init__(seed, link=link, timeline=timeline)
        self._twins = twins
        self._interchange = interchange

    def endpoint(self, address: Address) -> Endpoint | None:
        simulated = self._twins.simulated(address)
        return None if simulated is None else super().endpoint(simulated)

    def _arrive(self, source: Address, destination: Address, payload: bytes) -> None:
        super()._arrive(*self._interchange.rewrite(source, destination, payload))


class _Wires(Wires):
    """Leads tripwires to twins to those that are simulated, who greet in their own name."""

    def _greets(self, other: Process, tripwire: Tripwire) -> bool:
        return not other.paused


class Sampled(Simulation):
    """A cluster of ``kinds`` x ``count`` members, of which one of each kind is simulated.

    What happens to a member that is simulated happens to all of its twins at the same time. So this shows what many
    members do and undergo alike: quiet times, partitions, a crowd of newcomers. Whatever happens to one member alone
    takes a `Simulation` of all. In quiet times a member sends two datagrams a second here, twice what it does in
    reality: the pairs that meet are not the same for twins, so the partner that a member pings expects another one.

    Args:
        kinds: how many members are simulated.
        count: how many members each of them stands for, itself included.
        newcomers: how many further kinds there are, which may join (`add_newcomer`).

    Attributes:
        twins: all members.
    """

    def __init__(
        self,
        seed: object = 0,
        *,
        kinds: int,
        count: int,
        newcomers: int = 0,
        config: Config | None = None,
        link: Link | None = None,
    ) -> None:
        self.twins = twins = Twins(kinds + newcomers, count)
        placed = twins.place_in(config or Config.lan(), seed)
        super().__init__(seed, config=placed)
        self.interchange = Interchange(twins, placed.hashes(), self._epoch_of)
        self.network = _Network(seed, twins, self.interchange, link, self._timeline)
        self.wires = _Wires(self)
        self.watch(self.wires)
        self._formed = kinds

    def _epoch_of(self, kind: int) -> int:
        return self.process(self.twins.names[kind][0]).node.local.epoch

    @without_collections()
    def start(self) -> list[Process]:
        """Start the members, except newcomers, as if they had long known each other; see `start_formed`."""
        processes = [self._start_one(kind) for kind in range(self._formed)]
        formed = formed_by_members(processes[0], [twin for process in processes for twin in self._members(process)])
        for process in processes:
            process.do(lambda node, now: cast(CanAdopt, node).adopt(formed, now=now))
            process.seeds = tuple(other.address for other in processes[: SEEDS + 1] if other is not process)[:SEEDS]
            process.do(lambda node, now, seeds=process.seeds: node.join(seeds, now=now))  # type: ignore[misc]
        return processes

    def _start_one(self, kind: int) -> Process:
        name, address = self.twins.names[kind][0], self.twins.addresses[kind][0]
        return self._start(name, name, address, (), self.config, None, None)

    def _members(self, process: Process) -> list[Member]:
        """The member and its twins."""
        local = process.node.local
        kind = self.twins.named[local.name].kind
        identities = zip(self.twins.names[kind], self.twins.addresses[kind], strict=True)
        return [
            Member(name, address, local.epoch, local.incarnation, local.state, local.metadata)
            for name, address in identities
        ]

    def add_newcomer(self, number: int = 0) -> Process:
        """Start a newcomer, and all of its twins, each with seeds of its own."""
        kind = self._formed + number
        seeds = [self.twins.addresses[seed][0] for seed in range(2)]
        return self.add(self.twins.names[kind][0], address=self.twins.addresses[kind][0], join=seeds)

    def part(self, kinds: Iterable[int]) -> None:
        """Let datagrams pass only among members of these kinds, and among all others."""
        addresses = self.twins.addresses
        self.network.partition([[address for kind in kinds for address in addresses[kind]]])
        self.network_changed()

    def agreed(self) -> bool:
        """Whether all nodes see all twins of those that run as live, in the incarnation that these have."""
        running = self.running()
        if any(_live(process) != len(running) * self.twins.count for process in running):
            return False
        truth = {process.name: process.node.local.incarnation for process in running}
        names = self.twins.names
        return all(
            member.incarnation == truth[names[self.twins.named[member.name].kind][0]]
            for process in running
            for member in process.node.members()
        )


def _live(process: Process) -> int:
    """How many live members a node sees."""
    return sum(count for state, count in process.node.statistics().members.items() if state.live)
