"""Seeded chaos, then calm: a scenario of harm, during which all invariants are checked."""

from collections import Counter
from random import Random

import attrs

from swim_core.keys import SECRET_SIZE, Key, Keys
from swim_core.protocol import ProtocolConfig

from .bounds import Bounds
from .cluster_times import TimeHeld
from .harm import Acts, Harm
from .invariants import watch_all, watch_deliveries, watch_nodes
from .scenarios import SCENARIOS, Scenario
from .simulation import Simulation

__all__ = ["Chaos", "Report"]

JOIN_UP_TO = 64  # a cluster with more members starts formed, since a thousand joins are a test of their own
KEPT = 0.6  # the share of acts that a varied run of a scenario keeps
DISPENSABLE = 4  # the first acts of a scenario are never left out: a run must do something, and end it


@attrs.frozen(kw_only=True)
class Report:
    """What one run of chaos did.

    Attributes:
        steps: how many things happened.
        faults: how often each kind of harm was done, and what became of datagrams, sorted by name.
        judged: how often observers judged what they watch, by kind.
        excused: how often they did not, because a disturbance excuses it.
        recovery: seconds of calm until all members agreed.
        digest: equal for equal runs.
    """

    steps: int
    faults: Counter[str]
    judged: Counter[str]
    excused: Counter[str]
    recovery: float
    digest: str


def _scenario(name: str | Scenario) -> Scenario:
    return name if isinstance(name, Scenario) else SCENARIOS[name]


def _size(chaos: "Chaos") -> int:
    return Random(f"{chaos.seed}/size").choice(chaos.scenario.sizes)


@attrs.frozen(kw_only=True)
class Chaos:
    """A script of harm, drawn from ``seed``: equal seeds give equal runs.

    Except in scenarios that say otherwise, at least two thirds of the members run at any time, stalls are shorter than
    the stall tolerance, and fewer than one in ten datagrams are lost. So the protocol's promises hold throughout, and
    every invariant is checked.

    Attributes:
        seed: a whole number.
        members: how many there are at first; the scenario's number by default.
        seconds: virtual time during which harm is done; the scenario's number by default.
        scenario: what is done: a name from `SCENARIOS`, or a scenario of your own.
        config: of the nodes; the native protocol on a local network by default.
        bounds: what the protocol promises; the native protocol's by default.
        tripwires: whether nodes also keep TCP connections; by default as the scenario says, otherwise in about every
            second run, depending on the seed.
        sealed: whether nodes have a key.
    """

    seed: int = 0
    scenario: Scenario = attrs.field(default=SCENARIOS["mixed"], converter=_scenario)
    members: int = attrs.field(default=attrs.Factory(_size, takes_self=True))
    seconds: float = attrs.field(default=attrs.Factory(lambda self: self.scenario.seconds, takes_self=True))
    config: ProtocolConfig | None = None
    bounds: Bounds = attrs.Factory(Bounds)
    tripwires: bool | None = None
    sealed: bool = False

    def __attrs_post_init__(self) -> None:
        if self.scenario.death_known is not None:
            known = max(self.bounds.death_known, self.scenario.death_known)
            bounds = attrs.evolve(self.bounds, death_known=known, death_known_at_last=2 * known)
            object.__setattr__(self, "bounds", bounds)

    @property
    def replay(self) -> str:
        """The command that repeats this run, if it has the default settings."""
        return (
            f"python -m swim_core.simulation --scenario {self.scenario.name} --runs 1 --seed {self.seed}"
            f" --members {self.members} --seconds {self.seconds:g}{' --sealed' if self.sealed else ''}"
        )

    def run(self) -> Report:
        """Form the cluster, harm it, let it recover, have everybody broadcast once more, and ask the invariants.

        Raises:
            InvariantViolated: if one does not hold; its notes say when, and how to replay.
            TimeoutError: if the members don't agree in time.
        """
        simulation = Simulation(self.seed, config=self.config, tripwires=self._has_tripwires, keys=self._keys)
        simulation.replay = self.replay
        with simulation:
            if self.scenario.honest:
                watch_all(simulation, self.bounds, lossless=self.scenario.lossless)
            else:
                watch_nodes(simulation, self.bounds)
                simulation.watch(TimeHeld(simulation))
            if self.members <= JOIN_UP_TO:
                simulation.form(self.members, seeds=self.scenario.seeds)
            else:
                simulation.start_formed(self.members)
            harm = Harm(simulation, self._acts(), longest_stall=self._longest_stall)
            harm.play(self.seconds, every=self.scenario.every)
            harm.end()
            recovery = simulation.run_until(simulation.agreed, self.scenario.calm, every=0.25)
            self._finish(simulation)
        return Report(
            steps=simulation.steps,
            faults=_faults(simulation),
            judged=simulation.judged,
            excused=simulation.excused,
            recovery=recovery,
            digest=simulation.digest,
        )

    def _finish(self, simulation: Simulation) -> None:
        """Check that broadcasts still reach everybody, and that nothing is left waiting."""
        if not self.scenario.honest:
            watch_deliveries(simulation, honest=False)
        simulation.run_for(self.bounds.death_known)
        for process in simulation.running()[:JOIN_UP_TO]:
            simulation.broadcast(process, b"all clear")
        simulation.run_for(self.bounds.death_known)
        simulation.calm()

    @property
    def _keys(self) -> Keys | None:
        return Keys([Key(Random(f"{self.seed}/key").randbytes(SECRET_SIZE))]) if self.sealed else None

    @property
    def _has_tripwires(self) -> bool:
        said = self.scenario.tripwires if self.tripwires is None else self.tripwires
        return Random(f"{self.seed}/tripwires").random() < 0.5 if said is None else said

    @property
    def _longest_stall(self) -> float:
        return self.scenario.longest_stall * self.bounds.stall_tolerance

    def _acts(self) -> Acts:
        acts = self.scenario.acts
        if not self.scenario.varied:
            return acts
        random = Random(f"{self.seed}/acts")
        return (*acts[:DISPENSABLE], *(act for act in acts[DISPENSABLE:] if random.random() < KEPT))


def _faults(simulation: Simulation) -> Counter[str]:
    """What was done, and its traces on the network."""
    traffic = simulation.network.traffic
    faults = simulation.faults + Counter(
        {
            f"datagrams {fate}": getattr(traffic, fate)
            for fate in ("blocked", "duplicated", "lost", "refused", "reordered")
        }
    )
    return Counter({kind: faults[kind] for kind in sorted(faults)})
