"""Scenarios: named mixtures of harm, and what is promised during each."""

import attrs

from . import firewalls, missed_broadcasts, situations
from .harm import Acts, Harm

__all__ = ["SCENARIOS", "Scenario"]


@attrs.frozen(kw_only=True)
class Scenario:
    """A mixture of harm to a cluster.

    Attributes:
        name: its name for the command.
        acts: what is done, by weight.
        every: seconds between two acts, on average.
        varied: whether each run leaves some acts out. What one kind excuses (a partition excuses much) then shows.
        longest_stall: as a share of the stall tolerance. Losses eat into the margin of a stall.
        calm: seconds within which all must agree again afterwards.
        honest: whether everybody keeps to the protocol. If not, most is promised only once the liar is gone.
        tripwires: whether nodes keep TCP connections too; None leaves it to the run.
        sizes: how many members there are at first, one of these by the seed.
        seconds: virtual time during which harm is done.
        seeds: how many the members know.
        death_known: seconds within which an end is known, where that differs from what is usually promised.
        lossless: whether no broadcast may be given up. Where so much is lost that eight requests for one broadcast can
            all fail, a node may raise `BroadcastsLost` instead.
    """

    name: str
    acts: Acts
    every: float = 1.0
    varied: bool = False
    longest_stall: float = 0.8
    calm: float = 180.0
    honest: bool = True
    tripwires: bool | None = None
    sizes: tuple[int, ...] = (5, 7, 8, 8, 9)
    seconds: float = 30.0
    seeds: int = 3
    death_known: float | None = None
    lossless: bool = True


LIFE: Acts = ((6, Harm.broadcast), (2, Harm.change_metadata))
"""What applications do in every scenario."""

# Seconds in which all know of three in ten members that ended at once, without refusals: of 38 among 128, one in three
# runs has one whose partners in the first four rounds have ended as well, and then come S, and helpers that don't vote.
OF_MANY = 14.0
A_MINUTE = 60.0  # seconds in which the few survivors of many find out
ASKED_AGAIN = 300.0  # seconds: a superseded member asks every 60 s whether its rival still lives

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="mixed",
            acts=(
                (8, Harm.broadcast),
                (6, Harm.restart),
                (3, Harm.heal),
                (3, Harm.mend),
                (6, Harm.stall),
                (3, Harm.crash),
                (2, Harm.lose_host),
                (2, Harm.leave),
                (2, Harm.join),
                (2, Harm.partition),
                (3, Harm.cut),
                (3, Harm.change_weather),
                (2, Harm.change_metadata),
                (1, Harm.step_wall_clock),
                (1, Harm.suspend),
            ),
            varied=True,
        ),
        Scenario(
            name="churn",
            acts=(
                *LIFE,
                (4, Harm.crash),
                (2, Harm.lose_host),
                (4, Harm.leave),
                (4, Harm.join),
                (4, Harm.come_and_go),
                (8, Harm.restart),
                (4, Harm.bounce),
            ),
            every=0.5,
        ),
        Scenario(name="partition", acts=(*LIFE, (4, Harm.partition), (3, Harm.heal)), every=2.0),
        Scenario(name="one-way", acts=(*LIFE, (8, Harm.cut), (2, Harm.deafen), (4, Harm.mend), (2, Harm.heal))),
        Scenario(name="stall", acts=(*LIFE, (10, Harm.stall)), longest_stall=0.95),
        Scenario(
            name="middlebox",
            acts=(
                *LIFE,
                (6, Harm.reset_connections),
                (3, Harm.stall),
                (3, Harm.bounce),
                (2, Harm.crash),
                (3, Harm.cut),
                (3, Harm.mend),
            ),
            tripwires=True,
        ),
        Scenario(name="mass-restart", acts=(*LIFE, (2, Harm.mass_restart)), every=3.0),
        Scenario(name="mass-crash", acts=(*LIFE, (4, Harm.mass_crash)), every=3.0, death_known=OF_MANY),
        Scenario(
            name="clock",
            acts=(*LIFE, (4, Harm.suspend), (6, Harm.step_wall_clock), (3, Harm.crash), (6, Harm.restart)),
        ),
        Scenario(name="move", acts=(*LIFE, (6, Harm.move))),
        Scenario(name="duplicate-name", acts=(*LIFE, (6, Harm.duplicate)), every=2.0, calm=ASKED_AGAIN),
        Scenario(
            name="loss",
            acts=(*LIFE, (20, Harm.lose_a_fifth), (4, Harm.crash), (6, Harm.restart)),
            lossless=False,
        ),
        Scenario(name="slow-join", acts=(*LIFE, (12, Harm.join_slowly))),
        Scenario(
            name="hostile",
            acts=((40, Harm.lie), (1, Harm.stall), (1, Harm.bounce), (1, Harm.suspend), (1, Harm.change_metadata)),
            every=0.1,
            calm=ASKED_AGAIN,
            honest=False,
        ),
        Scenario(
            name="crowd",
            acts=(
                (3, missed_broadcasts.announce),
                (3, situations.come_to_all),
                (1, Harm.bounce),
                (1, Harm.crash),
                (1, Harm.lose_host),
                (1, Harm.change_metadata),
                (2, situations.grow_apart),
            ),
            every=2.0,
            calm=30.0,
            sizes=(30, 70),
            seconds=20.0,
        ),
        Scenario(
            name="few",
            acts=((1, situations.few_survive),),
            sizes=(12, 16, 20, 40),
            seconds=20.0,
            every=3.0,
            death_known=A_MINUTE,
        ),
        Scenario(
            name="no-seed",
            acts=((4, situations.lose_seeds), (3, Harm.partition), (3, Harm.heal), (3, Harm.broadcast)),
            every=5.0,
            sizes=(7, 8, 9),
            seeds=1,
            calm=30.0,
        ),
        Scenario(name="observers", acts=((1, situations.stall_observers),), sizes=(5, 8), seconds=60.0),
        Scenario(name="lull", acts=((1, situations.lull),), sizes=(5, 7, 8, 9), seconds=60.0),
        Scenario(name="hung", acts=((1, situations.end_the_hung),), sizes=(4, 5, 6), seconds=60.0, tripwires=True),
        Scenario(name="deaf", acts=((1, situations.deafen),), sizes=(7, 8), every=2.0),
        Scenario(name="blind", acts=((1, situations.blind),), sizes=(5, 6), seconds=40.0),
        Scenario(name="gray", acts=((1, situations.gray),), lossless=False),
        Scenario(name="firewall", acts=((2, firewalls.firewall), (1, firewalls.reject)), tripwires=True),
        Scenario(name="deployment", acts=((1, situations.outlast_a_deployment),), every=4.0, calm=30.0),
        Scenario(name="burst", acts=((1, missed_broadcasts.burst),), every=2.0),
        Scenario(name="origin-ends", acts=((1, missed_broadcasts.end_after_broadcast),)),
        Scenario(name="blip", acts=((1, missed_broadcasts.blip),), every=2.0, seconds=60.0),
        Scenario(name="beyond", acts=((1, missed_broadcasts.burst_beyond),), every=2.0, lossless=False, seconds=15.0),
        Scenario(
            name="pauses",
            acts=(*LIFE, (12, situations.end_amid_pauses)),
            sizes=(2, 2, 3),
            seconds=60.0,
            death_known=situations.FOUND,
        ),
    )
}
"""All scenarios that must hold, by name."""
