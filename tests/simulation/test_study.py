"""Experiments: they measure what happened, and the planner's formulas agree with them."""

from typing import Any

import pytest

from swim_core import Config, ConfigError
from swim_core.planner import Plan, plan
from swim_core.simulation import Link, Simulation
from swim_core.simulation.study import Experiment, Setting, Summary, Trial, conduct

LAN, WAN = Config.lan(tripwires=False), Config.wan(tripwires=False)
RUNS = 16


def summary(experiment: Experiment, runs: int = RUNS, **setting: Any) -> Summary:
    return Summary.of([conduct(experiment, Setting(**setting), seed) for seed in range(runs)])


def test_the_same_seed_gives_the_same_run_and_another_another() -> None:
    setting = Setting(members=8)
    first, again, other = (conduct(Experiment.KILL, setting, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_everybody_is_told_of_an_end_and_of_an_update() -> None:
    for experiment in (Experiment.KILL, Experiment.HANG, Experiment.HOST_LOSS, Experiment.UPDATE):
        run = conduct(experiment, Setting(members=9), 3)
        assert len(run.told) == run.others == 8
        assert run.told == tuple(sorted(run.told))
        assert run.false_deaths == 0


def test_who_stalls_within_the_tolerance_is_not_declared_dead() -> None:
    row = summary(Experiment.STALL, 3, members=16)
    assert (row.false_deaths, row.median, row.missing) == (0, None, 0)
    assert row.seconds > 4.9


def test_deaths_of_the_living_are_counted() -> None:
    """A member that isn't the experiment's stalls for longer than tolerated, and four take it for dead."""
    with Simulation(1) as simulation:
        trial = Trial(simulation, simulation.start_formed(5), Setting(members=5))
        simulation.pause(trial.others[0], 8.0)
        simulation.run_for(10.0)
        assert trial.end().false_deaths == 4


def test_members_that_are_never_told_are_counted() -> None:
    setting = Setting(members=5, link=Link().with_loss(1.0), warm_up=0.0)
    run = conduct(Experiment.UPDATE, setting, 0)
    assert run.told == ()
    assert Summary.of([run]).missing == 4


NETWORKS = [
    pytest.param(LAN, Link(), 0.0017, id="lan"),
    pytest.param(WAN, Link.wan(), 0.09, id="wan", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("tripwires", [True, False], ids=["tripwires", "plain"])
@pytest.mark.parametrize("members", [5, pytest.param(24, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("config", "link", "rtt"), NETWORKS)
def test_the_planner_says_what_the_simulator_shows(
    config: Config, link: Link, rtt: float, members: int, tripwires: bool
) -> None:
    config = config.replace(tripwires=tripwires)
    expected = plan(config, members=members, rtt=rtt)
    setting: dict[str, Any] = {"members": members, "config": config, "link": link}
    for experiment, span in (
        (Experiment.KILL, expected.killed),
        (Experiment.HANG, expected.hung),
        (Experiment.HOST_LOSS, expected.host_lost),
    ):
        row = summary(experiment, **setting)
        assert row.last is not None
        assert row.last_p99 is not None
        assert row.last == pytest.approx(span.median, abs=0.15 * config.probe_interval)
        assert row.last_p99 <= span.worst + 0.05 * config.probe_interval
    idle = summary(Experiment.IDLE, 1, **setting)
    assert idle.datagrams / idle.seconds == pytest.approx(expected.datagrams, rel=0.02)
    assert idle.bytes / idle.seconds == pytest.approx(expected.bytes, rel=0.03)


@pytest.mark.parametrize("members", [8, 13, 14, 60, 150])
@pytest.mark.parametrize("rings", [2, 4, 6])
def test_the_planner_knows_how_many_hops_news_take(members: int, rings: int) -> None:
    config = Config.lan(tripwires=False, rings=rings)
    setting = Setting(members=members, config=config, link=Link.exact(0.001), warm_up=1.0)
    hops = conduct(Experiment.UPDATE, setting, 0).told[-1] / 0.001
    assert hops <= plan(config, members=members).hops + 0.01
    assert hops >= plan(config, members=members).hops - 2.01


def test_what_a_flood_misses_is_the_loss_to_the_power_of_the_rings() -> None:
    assert plan(LAN, members=100, loss=0.1).missed == pytest.approx(1e-4)
    assert plan(LAN, members=3, loss=0.1).missed == pytest.approx(1e-2)
    assert plan(LAN, members=100).missed == 0.0


def warnings(config: Config = LAN, **conditions: Any) -> str:
    found: Plan = plan(config, **{"members": 32, **conditions})
    return "\n".join(found.warnings)


def test_settings_that_suit_cause_no_warning() -> None:
    assert warnings() == ""
    assert warnings(WAN, rtt=0.15, loss=0.01) == ""


@pytest.mark.parametrize(
    ("config", "conditions", "said"),
    [
        (LAN, {"rtt": 0.3}, "or the preset wan"),
        (LAN, {"members": 20_000}, "max_members"),
        (LAN, {"members": 2_000}, "at least 2 s"),
        (LAN, {"loss": 0.15}, "rings = 5"),
        (LAN, {"loss": 0.3}, "raise stall_tolerance"),
        (LAN, {"members": 2}, "can't ask a third"),
        (Config.lan(probe_interval=0.1), {}, "15 times per second"),
    ],
)
def test_settings_that_do_not_suit(config: Config, conditions: dict[str, Any], said: str) -> None:
    assert said in warnings(config, **conditions)


@pytest.mark.parametrize("conditions", [{"members": 1}, {"rtt": -1.0}, {"rtt": float("nan")}, {"loss": 1.0}])
def test_conditions_that_make_no_sense(conditions: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        warnings(**conditions)
