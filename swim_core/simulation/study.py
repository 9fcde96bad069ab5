"""Experiments: one end, update or stall in a formed cluster, run for many seeds and summed up.

    setting = Setting(members=128, link=Link().with_loss(0.05))
    summary = Summary.of([conduct(Experiment.KILL, setting, seed) for seed in range(20)])

`swim simulate` uses this.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum
from statistics import fmean, median

import attrs

from swim_core.events import Event, MemberDied, MemberUpdated
from swim_core.native.config import Config
from swim_core.statistics import Statistics

from .link import Link
from .process import Process
from .simulation import Simulation

__all__ = ["Experiment", "Run", "Setting", "Summary", "Trial", "conduct"]

GOLDEN = 0.6180339887498949
ROUNDS = 8.0  # the event may fall on any of them
TOLD_WITHIN = 60.0  # seconds at most, beyond what the settings make it take
STALLED_SHARE = 8  # one of this many stalls
REPEATED = 0.3  # seconds in which the origin of an update repeats it, which is part of the cost


class Experiment(Enum):
    """What happens to the cluster."""

    KILL = "kill"
    """A process ends; its host refuses datagrams from then on."""
    HANG = "hang"
    """A process hangs for good: its host still takes connections and datagrams."""
    HOST_LOSS = "hostloss"
    """A host is gone."""
    UPDATE = "update"
    """A member changes its metadata."""
    STALL = "stall"
    """One in eight members stalls for nearly the stall tolerance, all at once. None should be declared dead."""
    IDLE = "idle"
    """Nothing."""


@attrs.frozen(kw_only=True)
class Setting:
    """The subject of an experiment.

    Attributes:
        members: how many there are, from 2.
        config: settings of all of them.
        link: between any two.
        warm_up: seconds that the formed cluster runs first, so that round trips are known.
        duration: seconds of an experiment that has no end of its own (IDLE, STALL beyond the stall).
    """

    members: int = attrs.field(default=32, validator=attrs.validators.ge(2))
    config: Config = attrs.Factory(Config.lan)
    link: Link = attrs.Factory(Link)
    warm_up: float = attrs.field(default=attrs.Factory(lambda self: 30 * self.config.probe_interval, takes_self=True))
    duration: float = attrs.field(default=attrs.Factory(lambda self: 20 * self.config.probe_interval, takes_self=True))

    @property
    def limit(self) -> float:
        """Seconds after which the experiment stops waiting."""
        return 3 * (self.config.stall_tolerance + self.config.probe_interval) + TOLD_WITHIN


@attrs.frozen(kw_only=True)
class Run:
    """What one experiment showed.

    Attributes:
        told: seconds until each of the other members knew, in order; those that never did are missing.
        others: how many had to know.
        false_deaths: times that a member was told of the death of one that had not ended.
        seconds: how long it took.
        datagrams: sent by each member meanwhile, on average.
        bytes: bytes of UDP payload, likewise.
    """

    told: tuple[float, ...]
    others: int
    false_deaths: int
    seconds: float
    datagrams: float
    bytes: float


@attrs.frozen(kw_only=True)
class Summary:
    """Runs of one experiment, summed up; seconds, None where nobody had to be told.

    Attributes:
        runs: how many.
        median: until half of the members knew, in half of the runs.
        last: until all knew, in half of the runs.
        last_p99: until all knew, in 99 of 100 runs (in the longest, if there are fewer).
        missing: members, over all runs, that were never told.
        false_deaths: over all runs.
        seconds: that a run took, on average.
        datagrams: sent by each member meanwhile, on average.
        bytes: bytes of UDP payload, likewise.
    """

    runs: int
    median: float | None
    last: float | None
    last_p99: float | None
    missing: int
    false_deaths: int
    seconds: float
    datagrams: float
    bytes: float

    @classmethod
    def of(cls, runs: Sequence[Run]) -> "Summary":
        """Sum up at least one run."""
        halves = [median(run.told) for run in runs if run.told]
        lasts = sorted(run.told[-1] for run in runs if run.told)
        return cls(
            runs=len(runs),
            median=median(halves) if halves else None,
            last=median(lasts) if lasts else None,
            last_p99=lasts[min(len(lasts) - 1, int(0.99 * len(lasts)))] if lasts else None,
            missing=sum(run.others - len(run.told) for run in runs),
            false_deaths=sum(run.false_deaths for run in runs),
            seconds=fmean(run.seconds for run in runs),
            datagrams=fmean(run.datagrams for run in runs),
            bytes=fmean(run.bytes for run in runs),
        )


def conduct(
    experiment: Experiment, setting: Setting, seed: int, *, watch: Callable[[Simulation], None] | None = None
) -> Run:
    """Run it once; equal seeds give equal runs. ``watch`` is called before it begins, to observe the simulation."""
    name = f"{experiment.value}/{setting.members}/{setting.link}/{seed}"
    tripwires = setting.config.tripwires
    with Simulation(name, config=setting.config, link=setting.link, tripwires=tripwires) as simulation:
        members = simulation.start_formed(setting.members)
        moment = seed * GOLDEN % ROUNDS * setting.config.probe_interval  # whoever the subject is to meet next, and when
        simulation.run_for(setting.warm_up + moment)
        if watch is not None:
            watch(simulation)
        return _EXPERIMENTS[experiment](Trial(simulation, members, setting))


class Trial:
    """An experiment under way: since when, who has to be told, and what was sent before."""

    def __init__(self, simulation: Simulation, members: list[Process], setting: Setting) -> None:
        self.simulation = simulation
        self.setting = setting
        self.members = members
        self.subject: Process = members[0]
        self.others: list[Process] = members[1:]
        self.since: float = simulation.now
        self._before = self._sent()

    def until_told(self, kind: type[Event]) -> Run:
        """Run until all others were told that of the subject, or the limit."""
        waiting = dict.fromkeys(self.others)

        def all_told() -> bool:
            for process in [process for process in waiting if self._when(process, kind) is not None]:
                del waiting[process]
            return not waiting

        with suppress(TimeoutError):
            self.simulation.run_until(all_told, self.setting.limit)
        times = (self._when(process, kind) for process in self.others)
        return self.end(tuple(sorted(time for time in times if time is not None)), len(self.others))

    def end(self, told: tuple[float, ...] = (), others: int = 0) -> Run:
        """What it showed so far."""
        datagrams, size = (after - before for after, before in zip(self._sent(), self._before, strict=True))
        return Run(
            told=told,
            others=others,
            false_deaths=self._false_deaths(),
            seconds=self.simulation.now - self.since,
            datagrams=datagrams / len(self.members),
            bytes=size / len(self.members),
        )

    def _when(self, process: Process, kind: type[Event]) -> float | None:
        times = process.times(kind, self.subject.name)
        return times[-1] - self.since if times and times[-1] >= self.since else None

    def _sent(self) -> tuple[int, int]:
        statistics: list[Statistics] = [process.node.statistics() for process in self.members]
        return sum(s.datagrams_sent for s in statistics), sum(s.bytes_sent for s in statistics)

    def _false_deaths(self) -> int:
        ended = {self.subject.name} if not self.subject.running or self.subject.wakes_at == float("inf") else set()
        return sum(
            isinstance(event, MemberDied) and event.member.name not in ended
            for process in self.members
            for _, event in process.events
        )


def _kill(trial: Trial) -> Run:
    trial.simulation.crash(trial.subject)
    return trial.until_told(MemberDied)


def _hang(trial: Trial) -> Run:
    trial.simulation.pause(trial.subject)
    return trial.until_told(MemberDied)


def _lose_host(trial: Trial) -> Run:
    trial.simulation.lose_host(trial.subject)
    return trial.until_told(MemberDied)


def _update(trial: Trial) -> Run:
    trial.simulation.update_metadata(trial.subject, {"changed": "yes"})
    trial.simulation.run_for(REPEATED)
    return trial.until_told(MemberUpdated)


def _stall(trial: Trial) -> Run:
    seconds = 0.98 * trial.setting.config.stall_tolerance
    for process in trial.members[:: STALLED_SHARE if len(trial.members) >= STALLED_SHARE else len(trial.members)]:
        trial.simulation.pause(process, seconds)
    trial.simulation.run_for(seconds + trial.setting.duration)
    return trial.end()


def _idle(trial: Trial) -> Run:
    trial.simulation.run_for(trial.setting.duration)
    return trial.end()


_EXPERIMENTS: dict[Experiment, Callable[[Trial], Run]] = {
    Experiment.KILL: _kill,
    Experiment.HANG: _hang,
    Experiment.HOST_LOSS: _lose_host,
    Experiment.UPDATE: _update,
    Experiment.STALL: _stall,
    Experiment.IDLE: _idle,
}
