"""An attacker who knows everything about a simulated cluster but its key, and can send from any address."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from support.datagrams import opened
from support.inside import parts_of
from swim_core import Address, State
from swim_core.address import pack
from swim_core.native.wire.claim import Claim, Verdict
from swim_core.native.wire.datagram import Codec, encode_item
from swim_core.native.wire.hashing import Hashes
from swim_core.native.wire.messages import Broadcast, Join, JoinAck, Message
from swim_core.simulation import Observer, Process, Simulation

__all__ = ["OWN", "Forger", "Sent"]

OWN = Address("10.66.0.1", 4_000)
HASHES = Hashes("", 4)
Sent = tuple[float, Address, Address, bytes]
"""When, from where, to where, what."""


class Forger(Observer):
    """It has a host of its own, at `OWN`.

    Args:
        simulation: the cluster, formed.
        codec: makes its datagrams; by default plain ones.

    Attributes:
        members: all processes that ran at the start.
        sent: what members sent from then on.
        heard: what came to its own address.
    """

    def __init__(self, simulation: Simulation, codec: Codec | None = None) -> None:
        self.simulation = simulation
        self.members: list[Process] = list(simulation.running())
        self.began = simulation.now
        self.sent: list[Sent] = []
        self.heard: list[bytes] = []
        self.bytes_said = 0
        self._codec = codec or Codec(HASHES.label)
        self._listening: set[Address] = set()
        simulation.watch(self)

    def on_send(self, process: Process, destination: Address, payload: bytes) -> None:
        self.sent.append((self.simulation.now, process.address, destination, payload))

    def receive(self, payload: bytes, source: Address) -> None:
        """See `swim_core.simulation.network.Endpoint`."""
        self.heard.append(payload)

    def refused(self, destination: Address, quoted: bytes) -> None:
        """Ignore what a kernel reports."""

    # ------------------------------------------------------------------ what it says

    def say(
        self,
        run: Process | int,
        to: Process,
        message: Message | None = None,
        *,
        claims: Iterable[Claim] = (),
        broadcasts: Iterable[Broadcast] = (),
        source: Address | None = None,
    ) -> None:
        """A datagram in the name of a run, from its address or ``source``, to a member."""
        if isinstance(run, Process):
            source = source or run.address
            run = self.short_id(run)
        data = self._codec.pack(
            2,
            run,
            None if message is None else encode_item(message),
            [encode_item(claim) for claim in claims],
            (),
            [encode_item(broadcast) for broadcast in broadcasts],
        )
        self.bytes_said += len(data)
        self.simulation.network.send(source or OWN, to.address, data)

    def ask(self, name: str, seed: Process, *, port: int = OWN.port) -> tuple[int, Join, bytes]:
        """The first step of a join; returns the run's epoch, what it said, and the cookie, if it was given one."""
        address = Address(OWN.host, port)
        if address not in self._listening:
            self.simulation.network.bind(address, self)
            self._listening.add(address)
        epoch = self.time_of(seed) << 16 | 7
        question = Join(1, name, 1_000, 4, 5_000, 1_200, padding=bytes(600))
        before = len(self.heard)
        self.say(HASHES.short_id(name, epoch), seed, question, source=address)
        self.simulation.run_for(0.01)
        answers = [opened(payload).message for payload in self.heard[before:]]
        cookies = [answer.cookie for answer in answers if isinstance(answer, JoinAck) and answer.cookie]
        return epoch, question, cookies[0] if cookies else b""

    def join(self, name: str, seed: Process, *, port: int = OWN.port) -> tuple[int, int]:
        """Both steps, the second one if the first was answered; returns the run's short id and its epoch."""
        epoch, question, cookie = self.ask(name, seed, port=port)
        address, run = Address(OWN.host, port), HASHES.short_id(name, epoch)
        if cookie:
            claim = Claim(name, epoch, pack(address), 0, State.ALIVE, b"")
            self.say(run, seed, replace(question, cookie=cookie, claim=claim), source=address)
        self.simulation.run_for(0.05)
        return run, epoch

    # ------------------------------------------------------------------ what it knows

    def short_id(self, process: Process) -> int:
        """What datagrams call that run."""
        return HASHES.short_id(process.node.local.name, process.node.local.epoch)

    def time_of(self, process: Process) -> int:
        """The cluster time that a member holds, ms."""
        return parts_of(process.node).context.clock.read(process.clock)

    def claim(
        self, process: Process, state: State = State.ALIVE, verdict: Verdict | None = None, **other: Any
    ) -> Claim:
        """The true claim of a member, except for what is given."""
        local = process.node.local
        metadata = b"" if state.live else None
        claim = Claim(local.name, local.epoch, pack(local.address), local.incarnation, state, metadata, verdict)
        return replace(claim, **other)

    # ------------------------------------------------------------------ what came of it

    def told(self, kind: type[Any], name: str | None = None) -> list[Any]:
        """Events of one kind that members raised since the start, about the member of that name if one is given."""
        return [
            event
            for process in self.members
            for time, event in process.events
            if time >= self.began and isinstance(event, kind) and (name is None or event.member.name == name)
        ]

    def bytes_to(self) -> Counter[str]:
        """What members sent to each host."""
        found: Counter[str] = Counter()
        for _, _, destination, payload in self.sent:
            found[destination.host] += len(payload)
        return found
