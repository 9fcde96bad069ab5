"""Tools that talk to a member of a sealed cluster, in virtual time."""

from random import Random

from support.inside import rewind
from swim_core import Address, BroadcastReceived, Config, DropReason, Key, Keys, Node
from swim_core.native.tools.client import ToolClient
from swim_core.native.wire.queries import What
from swim_core.simulation import Process, Simulation

HOST, HERE = Address("198.51.100.7", 40_001), Address("127.0.0.1", 40_001)
KEY, OTHER = Key(bytes(range(32))), Key(bytes(range(50, 82)))
READER = KEY.reader_of("")


class Talk:
    """A member of a sealed cluster, node-0, and what tools sent and got."""

    def __init__(self, config: Config | None = None, *, members: int = 2, plain: bool = False) -> None:
        self.simulation = Simulation(3, keys=None if plain else Keys([KEY]), config=config)
        self.plain = plain
        self.member: Process = self.simulation.form(members)[0]
        self.questions: list[bytes] = []

    @property
    def node(self) -> Node:
        assert isinstance(self.member.node, Node)
        return self.member.node

    def ask(
        self, what: What, *keys: Key, argument: bytes = b"", source: Address = HOST, seed: int = 1, cursor: int = 0
    ) -> ToolClient:
        """Have a whole conversation, beginning at ``cursor``."""
        held = Keys(keys) if keys else None
        now = self.simulation.now
        client = ToolClient(
            what, argument, destination=self.member.address, keys=held, now=now, random=Random(100 * seed + what)
        )
        if cursor:
            rewind(client, cursor, now)
        while not client.done:
            while (question := client.poll_datagram()) is not None:
                self.questions.append(question.payload)
                for answer in self.feed(question.payload, source):
                    client.feed_datagram(answer, now=self.simulation.now)
            deadline = client.poll_deadline()
            if deadline is not None:
                self.simulation.run_for(max(0.0, deadline - self.simulation.now))
                client.feed_tick(now=self.simulation.now)
        return client

    def feed(self, question: bytes, source: Address = HOST) -> list[bytes]:
        """What the member answers at once."""
        self.node.feed_datagram(question, source, now=self.member.clock)
        found = []
        while (answer := self.node.poll_datagram()) is not None:
            if answer.destination == source:
                assert len(answer.payload) <= len(question)
                assert answer.payload[1] & 1 or self.plain
                found.append(answer.payload)
            else:
                self.simulation.network.send(self.member.address, answer.destination, answer.payload)
        return found

    def dropped(self, reason: DropReason) -> int:
        return self.node.statistics().dropped.get(reason, 0)

    def told(self) -> int:
        """The broadcasts that came to the other member."""
        self.simulation.run_for(1.0)
        return len(self.simulation.process("node-1").told(BroadcastReceived))
