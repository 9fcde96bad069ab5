"""Which events a change of claims raises: one pure function (docs/protocol.md, section 1, "Events")."""

from collections.abc import Callable

from swim_core.events import (
    Event,
    Evidence,
    MemberDied,
    MemberJoined,
    MemberLeft,
    MemberRecovered,
    MemberSuspected,
    MemberUpdated,
)
from swim_core.member import Member, Rule, State
from swim_core.native.wire.claim import MAX_INCARNATION, Claim, as_member

__all__ = ["transition"]

Witness = Callable[[Claim], Evidence]


def transition(before: Claim | None, after: Claim, witness: Witness) -> list[Event]:
    """The events of a claim that won over ``before`` (None: unknown or forgotten), in order.

    ``witness`` makes the evidence of a claim that carries a verdict.
    """
    if before is None:
        return _appeared(after, witness)
    if before.epoch == after.epoch:
        return _same_run(before, after, witness)
    if not before.state.live:
        return _appeared(after, witness)
    if not after.state.live:  # the new run is gone, too: what matters is that the known one is
        return [_judged(after, witness)]
    if before.incarnation == MAX_INCARNATION:
        return [MemberUpdated(as_member(after), as_member(before)), *_suspicion(after, witness)]
    return [MemberDied(_ended(before), _restarted(after, witness)), *_appeared(after, witness)]


def _appeared(after: Claim, witness: Witness) -> list[Event]:
    if not after.state.live:
        return []
    return [MemberJoined(as_member(after)), *_suspicion(after, witness)]


def _suspicion(after: Claim, witness: Witness) -> list[Event]:
    return [MemberSuspected(as_member(after), witness(after))] if after.state is State.SUSPECT else []


def _same_run(before: Claim, after: Claim, witness: Witness) -> list[Event]:
    if not after.state.live:
        return [_judged(after, witness)] if before.state.live else []
    events: list[Event] = []
    if not before.state.live or (before.state is State.SUSPECT and after.state is State.ALIVE):
        events.append(MemberRecovered(as_member(after)))
    if before.state.live and (before.metadata, before.address) != (after.metadata, after.address):
        events.append(MemberUpdated(as_member(after), as_member(before)))
    if before.state is not State.SUSPECT:
        events += _suspicion(after, witness)
    return events


def _judged(after: Claim, witness: Witness) -> Event:
    kind = MemberLeft if after.state is State.LEFT else MemberDied
    return kind(as_member(after), witness(after))


def _ended(before: Claim) -> Member:
    return Member(before.name, as_member(before).address, before.epoch, before.incarnation, State.DEAD)


def _restarted(after: Claim, witness: Witness) -> Evidence:
    evidence = witness(after)
    return Evidence(Rule.RESTARTED, after.name, evidence.cluster_time, evidence.observations)
