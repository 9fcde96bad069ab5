"""What can happen to a cluster, by name: mixtures of harm, and what is promised meanwhile."""

import attrs

from .harm import Acts, Harm

__all__ = ["SCENARIOS", "Scenario"]


@attrs.frozen(kw_only=True)
class Scenario:
    """A kind of bad time.

    Attributes:
        name: by which the command knows it.
        acts: what is done, by weight.
        every: seconds between two acts, on average.
        varied: whether each run leaves some acts out: what one kind excuses (a partition excuses much) others then
            show.
        longest_stall: as a share of the stall tolerance. Losses eat into the margin of a stall.
        calm: seconds within which all must agree again afterwards.
        honest: whether everybody keeps to the protocol. If not, most is promised only once the liar is gone.
        tripwires: whether nodes keep TCP connections too; None leaves it to the run.
        lossless: whether no broadcast may be given up. Where so much is lost that eight requests for one can all
            fail, a node may instead say `BroadcastsLost`.
    """

    name: str
    acts: Acts
    every: float = 1.0
    varied: bool = False
    longest_stall: float = 0.8
    calm: float = 180.0
    honest: bool = True
    tripwires: bool | None = None
    lossless: bool = True


LIFE: Acts = ((6, Harm.broadcast), (2, Harm.change_metadata))
"""What applications do in every scenario."""

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
                (6, Harm.join),
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
        Scenario(name="mass-crash", acts=(*LIFE, (4, Harm.mass_crash)), every=3.0),
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
    )
}
"""All scenarios, by name."""
