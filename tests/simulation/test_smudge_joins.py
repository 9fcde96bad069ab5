"""Broadcasts in clusters of both kinds that nodes keep joining: each arrives once, and none at late joiners."""

from random import Random

import pytest

from support.smudge_original import OriginalConfig
from swim_core import Address, BroadcastReceived, ProtocolConfig
from swim_core.simulation import Link, Simulation
from swim_core.simulation.deliveries import DeliveredOnce
from swim_core.smudge import SmudgeConfig

FIRST, JOINS, EVERY = 6, 3, 20.0
LATE = 5.0  # seconds after a broadcast was everywhere

Seeds = pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(range(2), id="few"),
        *[pytest.param(range(n, n + 15), id=f"{n} to {n + 15}", marks=pytest.mark.slow) for n in range(2, 200, 15)],
    ],
)


class Watched:
    """A cluster with a newcomer every 20 s and steady broadcasts, and the nodes to which each of these was offered."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.sent: dict[bytes, float] = {}
        self.offered: list[tuple[bytes, Address]] = []
        self.started: dict[Address, float] = {}
        interval = self.random.choice([0.5, 0.2, 0.05])
        ours = SmudgeConfig(multicast_enabled=False, heartbeat_millis=round(1000 * interval))
        self.kinds: list[ProtocolConfig] = [ours, OriginalConfig(interval=interval)]
        loss = self.random.choice([0.0, 0.02, 0.05])
        with Simulation(seed, config=ours, link=Link(loss=loss)) as self.simulation:
            self.simulation.watch(DeliveredOnce())
            self.simulation.network.tap = self._see
            for _ in range(FIRST):
                self._add()
                self.simulation.run_for(0.2)
            for _ in range(JOINS):
                self._broadcast_for(EVERY)
                self._add()
            self._broadcast_for(EVERY)

    def _add(self) -> None:
        number = len(self.started)
        kind = self.kinds[number] if number < 2 else self.random.choice(self.kinds)
        process = self.simulation.add(f"node-{number}", join=["node-0"] if number else [], config=kind)
        self.started[process.address] = self.simulation.now

    def _broadcast_for(self, seconds: float) -> None:
        until = self.simulation.now + seconds
        while self.simulation.now < until:
            payload = b"<news %d>" % len(self.sent)
            self.sent[payload] = self.simulation.now
            self.simulation.broadcast(self.random.choice([*self.simulation.running()]), payload)
            self.simulation.run_for(self.random.uniform(0.1, 6.0))

    def _see(self, fate: str, _: Address, destination: Address, data: bytes) -> None:
        start = data.find(b"<news ")
        if fate == "sent" and start >= 0:
            self.offered.append((data[start:], destination))

    def spread(self) -> dict[bytes, float]:
        """When the last node that a broadcast was meant for got it."""
        last = dict(self.sent)
        for process in self.simulation.processes.values():
            for time, event in process.events:
                if isinstance(event, BroadcastReceived) and self.started[process.address] <= self.sent[event.payload]:
                    last[event.payload] = max(last[event.payload], time)
        return last


@Seeds
@pytest.mark.timeout(900)
def test_each_is_delivered_once_and_none_is_offered_to_who_came_after_it_had_spread(seeds: range) -> None:
    for seed in seeds:
        watched = Watched(seed)
        spread = watched.spread()
        late = [(p, a) for p, a in watched.offered if watched.started[a] >= spread[p] + LATE]
        assert not late, f"seed {seed}"
        assert len(watched.sent) > 10
