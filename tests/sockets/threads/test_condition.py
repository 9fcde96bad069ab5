"""Threads that wait for a node's changes: woken once, however many descriptors are left, and leaving none behind."""

import errno
import os
import threading
from math import inf

import pytest

from support.waiting import wait_until
from swim_threads.condition import Condition

BELLS = ["with descriptors", "without"]


def out_of_descriptors(*_: int) -> int:
    raise OSError(errno.EMFILE, "Too many open files")


@pytest.fixture(params=BELLS)
def bells(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without":
        monkeypatch.setattr(os, "eventfd", out_of_descriptors, raising=False)


class Waiter:
    """A thread that waits until a number is there, and how often it looked."""

    def __init__(self, every: float = inf) -> None:
        self.every = every
        self.lock = threading.Lock()
        self.condition = Condition(self.lock)
        self.number = self.looked = self.found = 0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        wait_until(lambda: self.looked >= 2)  # once before it has a bell

    def _run(self) -> None:
        self.found = self.condition.wait_for(self._look, every=self.every)

    def _look(self) -> int:
        self.looked += 1
        return self.number

    def joined(self) -> bool:
        self.thread.join(10.0)
        return not self.thread.is_alive()


@pytest.mark.usefixtures("bells")
def test_who_waits_looks_after_each_change_and_is_woken_by_the_one_that_counts() -> None:
    waiter = Waiter()
    with waiter.lock:
        waiter.condition.notify_all()
    wait_until(lambda: waiter.looked == 3)
    with waiter.lock:
        waiter.number = 7
        waiter.condition.notify_all()
    assert waiter.joined()
    assert (waiter.found, waiter.looked) == (7, 4)


@pytest.mark.usefixtures("bells")
def test_a_noted_change_wakes_at_the_next_ring_and_a_lost_ring_is_made_up_for() -> None:
    waiter = Waiter()
    with waiter.lock:
        waiter.number = 7
        waiter.condition.note()  # whoever should have rung got an exception
    with waiter.lock:
        waiter.condition.notify_all()
    assert waiter.joined()
    assert waiter.found == 7


@pytest.mark.usefixtures("bells")
def test_a_bell_that_is_rung_twice_or_for_nobody_does_no_harm() -> None:
    waiter = Waiter(every=0.001)
    with waiter.lock:
        waiter.condition.note()
        looked = waiter.looked
    wait_until(lambda: waiter.looked > looked + 1)  # by itself, so its bell hangs there again
    with waiter.lock:
        waiter.condition.notify_all()
        waiter.condition.note()
        waiter.number = 7
    assert waiter.joined()
    waiter.condition.ring()
    assert not waiter.condition.wait_for(lambda: False, 0.001, every=1e12)


@pytest.mark.skipif(not hasattr(os, "eventfd"), reason="only Linux has descriptors for that")
def test_waiting_leaves_no_descriptor_open(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    make = os.eventfd

    def recorded(*arguments: int) -> int:
        made.append(make(*arguments))
        return made[-1]

    monkeypatch.setattr(os, "eventfd", recorded)
    assert not Condition(threading.Lock()).wait_for(lambda: False, 0.001)
    (fd,) = made
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
