"""The threads that look names up: at most three, none of them kept, and the last one never for slow names."""

import threading
from collections.abc import Iterator

import pytest

from support.names import Names
from support.waiting import SOON, wait_until
from swim_core import Address
from swim_threads import lookups
from swim_threads.lookups import ANY_FAMILY, LookUp, LookUps, Outcome, resolve_within

pytestmark = pytest.mark.sockets


class Gates(Names):
    """Each look-up waits until its own gate, if it has one, is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.gates: dict[str, threading.Event] = {}

    def getaddrinfo(self, host: str, port: int, **rest: object) -> list[tuple[object, ...]]:
        with self.changed:
            self.asked.append(host)
            self.changed.notify_all()
        if host in self.gates:
            self.gates[host].wait(SOON)
        self.hold = None
        with self.changed:
            found = super().getaddrinfo(host, port, **rest)
            self.asked.pop()
        return found


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gates]:
    it = Gates()
    monkeypatch.setattr("socket.getaddrinfo", it.getaddrinfo)
    yield it
    for gate in it.gates.values():
        gate.set()


class Asked:
    """Looks a name up, and keeps the outcome."""

    def __init__(self) -> None:
        self.pool = LookUps()
        self.outcomes: dict[str, Outcome] = {}

    def ask(self, host: str) -> LookUp:
        look_up = LookUp(host, 9, ANY_FAMILY, lambda outcome: self.outcomes.__setitem__(host, outcome))
        self.pool.ask(look_up)
        return look_up


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "swim resolver"]


def test_at_most_three_threads_which_end_when_nothing_waits(names: Gates) -> None:
    asked = Asked()
    names.gates = {f"stuck{number}": threading.Event() for number in range(5)}
    for host in names.gates:
        asked.ask(host)
    names.wait_asked(3)
    assert len(threads()) == 3
    assert all(thread.daemon for thread in threads())
    for gate in names.gates.values():
        gate.set()
    wait_until(lambda: len(asked.outcomes) == 5 and not threads())


def test_two_names_that_hang_hold_up_no_other(names: Gates) -> None:
    asked = Asked()
    names.gates = {"one": threading.Event(), "two": threading.Event()}
    names.known = {"good": ["127.0.0.9"], "better": ["127.0.0.8"]}
    for host in ("one", "two", "good", "better"):
        asked.ask(host)
    wait_until(lambda: len(asked.outcomes) == 2)
    assert asked.outcomes == {"good": (Address("127.0.0.9", 9),), "better": (Address("127.0.0.8", 9),)}


def test_what_was_slow_or_hangs_already_never_takes_the_last_thread(
    names: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "SLOW", -1.0)
    asked = Asked()
    asked.ask("slow")
    wait_until(lambda: "slow" in asked.outcomes and not threads())
    names.gates = {"one": threading.Event(), "slow": threading.Event()}
    names.known = {"good": ["127.0.0.9"]}
    for host in ("one", "one", "slow", "slow"):
        asked.ask(host)
    names.wait_asked(2)
    asked.ask("good")
    wait_until(lambda: "good" in asked.outcomes)


def test_what_is_cancelled_before_its_turn_is_not_looked_up(names: Gates) -> None:
    asked = Asked()
    names.gates = {f"stuck{number}": threading.Event() for number in range(3)}
    for host in names.gates:
        asked.ask(host)
    names.wait_asked(3)
    asked.pool.cancel(asked.ask("never"))
    for gate in names.gates.values():
        gate.set()
    wait_until(lambda: not threads())
    assert "never" not in asked.outcomes


def test_what_begun_is_told_all_the_same(names: Gates) -> None:
    asked = Asked()
    names.gates = {"late": threading.Event()}
    look_up = asked.ask("late")
    names.wait_asked(1)
    asked.pool.cancel(look_up)
    names.gates["late"].set()
    wait_until(lambda: isinstance(asked.outcomes.get("late"), OSError))


def test_a_system_that_has_no_more_threads(names: Gates, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked()

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    with pytest.raises(OSError, match="no thread could be started"):
        asked.ask("seed")
    monkeypatch.undo()
    monkeypatch.setattr("socket.getaddrinfo", names.getaddrinfo)
    asked.ask("seed")
    wait_until(lambda: "seed" in asked.outcomes)


def test_a_resolver_that_raises_what_none_should(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: object, **__: object) -> None:
        raise ZeroDivisionError("hm")

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)
    with pytest.raises(OSError, match="hm"):
        resolve_within("seed", 9)


def test_who_waits_gives_up(names: Gates) -> None:
    names.gates = {"stuck": threading.Event()}
    with pytest.raises(OSError, match=r"no answer from a name server within 0\.01 s"):
        resolve_within("stuck", 9, seconds=0.01)


def test_in_the_child_of_a_fork_whatever_the_parent_was_at_holds_up_nothing(names: Gates) -> None:
    asked = Asked()
    names.known = {"good": ["127.0.0.9"]}
    asked.pool._lock.acquire()
    asked.pool._threads.update(threading.Thread() for _ in range(3))
    asked.pool.after_fork_in_child()
    asked.ask("good")
    wait_until(lambda: asked.outcomes.get("good") == (Address("127.0.0.9", 9),))
