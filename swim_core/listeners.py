"""Turns functions of one kind of news into functions of any event, as `open_node` of each adapter takes them."""

from collections.abc import Callable
from typing import TypeVar

from .errors import ConfigError
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

__all__ = ["check_listener", "on_broadcast", "on_status"]

T = TypeVar("T")

_STATES = {
    MemberJoined: State.ALIVE,
    MemberSuspected: State.SUSPECT,
    MemberRecovered: State.ALIVE,
    MemberDied: State.DEAD,
    MemberLeft: State.LEFT,
}


def check_listener(listener: object) -> None:
    """Refuse what can't be called with an event, while its mistake can still be seen.

    Raises:
        ConfigError: if it isn't a function.
    """
    if not callable(listener):
        raise ConfigError(f"a listener is a function of one argument or two, not {listener!r}")


def on_status(listener: Callable[[Member, State], T]) -> Callable[[Event], T | None]:
    """Make a listener of events that calls ``listener(member, state)`` when a member's state changes.

    That is when a member joins, is suspected, recovers, dies or leaves. The result of ``listener`` is returned, so it
    may be async under an adapter that awaits it.

    Raises:
        ConfigError: if it isn't a function.
    """
    check_listener(listener)

    def deliver(event: Event) -> T | None:
        if isinstance(event, MemberJoined | MemberSuspected | MemberRecovered | MemberDied | MemberLeft):
            return listener(event.member, _STATES[type(event)])
        return None

    return deliver


def on_broadcast(listener: Callable[[BroadcastReceived], T]) -> Callable[[Event], T | None]:
    """Make a listener of events that calls ``listener(broadcast)`` with every broadcast from another member.

    The result of ``listener`` is returned, as with `on_status`.

    Raises:
        ConfigError: if it isn't a function.
    """
    check_listener(listener)

    def deliver(event: Event) -> T | None:
        return listener(event) if isinstance(event, BroadcastReceived) else None

    return deliver
