"""Listeners for one kind of news, as functions of every event, which `open_node` of each adapter takes."""

from collections.abc import Callable
from typing import TypeVar

from .events import (
    BroadcastReceived,
    Event,
    MemberDied,
    MemberJoined,
    MemberLeft,
    MemberRecovered,
    MemberSuspected,
)
from .member import Member, State

__all__ = ["on_broadcast", "on_status"]

T = TypeVar("T")

_STATES = {
    MemberJoined: State.ALIVE,
    MemberSuspected: State.SUSPECT,
    MemberRecovered: State.ALIVE,
    MemberDied: State.DEAD,
    MemberLeft: State.LEFT,
}


def on_status(listener: Callable[[Member, State], T]) -> Callable[[Event], T | None]:
    """A listener to all events that calls ``listener(member, state)`` with what becomes of members.

    That is when one joins, is suspected, recovers, dies or leaves. What ``listener`` returns is returned, so that
    it may be async under an adapter that awaits it.
    """

    def deliver(event: Event) -> T | None:
        if isinstance(event, MemberJoined | MemberSuspected | MemberRecovered | MemberDied | MemberLeft):
            return listener(event.member, _STATES[type(event)])
        return None

    return deliver


def on_broadcast(listener: Callable[[BroadcastReceived], T]) -> Callable[[Event], T | None]:
    """A listener to all events that calls ``listener(broadcast)`` with every broadcast of another member.

    What ``listener`` returns is returned, as by `on_status`.
    """

    def deliver(event: Event) -> T | None:
        return listener(event) if isinstance(event, BroadcastReceived) else None

    return deliver
