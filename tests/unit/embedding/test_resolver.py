"""The seeds of a node: when names are looked up, and which addresses the node is told to ask; time by hand."""

import socket
from math import inf

import pytest

from support.fake_node import FakeNode
from swim_core import Address
from swim_core.embedding.log_messages import Notice
from swim_threads.lookups import LookUp, Outcome
from swim_threads.resolver import KEPT, MAX_KEPT, Deed, Resolver

LATE = 10.0
DAY = 86_400.0


class World:
    """A resolver, its node, and a name service that answers when told to."""

    def __init__(self, backoff_max: float = 60.0) -> None:
        self.now = 1000.0
        self.node = FakeNode("n", ("127.0.0.1", 7946), 0.0, {})
        self.notices: list[Notice] = []
        self.asked: list[LookUp] = []
        self.refuses = False
        self.resolver = Resolver(
            (socket.AF_INET,), self.act, self.notices.append, backoff_max=backoff_max, service=self
        )

    def act(self, deed: Deed) -> None:
        deed(self.node, self.now)

    def ask(self, look_up: LookUp) -> None:
        if self.refuses:
            raise OSError("no thread")
        self.asked.append(look_up)

    def cancel(self, look_up: LookUp) -> None:
        pass

    def join(self, *seeds: str) -> None:
        self.resolver.replace([(seed, 9) for seed in seeds], self.node, self.now)

    def answer(self, *hosts: str, which: int = -1) -> None:
        outcome: Outcome = tuple(Address(host, 9) for host in hosts) if hosts else OSError("no such name")
        self.asked[which].done(outcome)

    def wait(self) -> float:
        """Until the next deadline; returns how long that was."""
        began, self.now = self.now, self.resolver.deadline
        self.resolver.turn(self.node, self.now)
        return self.now - began

    @property
    def told(self) -> list[str]:
        return [host for host, _ in self.node.joins[-1]]


def test_numeric_seeds_are_told_at_once_and_nothing_is_due() -> None:
    world = World()
    world.join("127.0.0.7", "::7", "127.0.0.8")
    assert world.told == ["127.0.0.7", "127.0.0.8"]
    assert [notice.fields["event"] for notice in world.notices] == ["unreachable"]
    assert world.resolver.deadline == inf
    assert not world.asked


def test_a_name_is_looked_up_again_for_ever_within_the_longest_backoff() -> None:
    world = World(backoff_max=8.0)
    world.join("seed")
    for _ in range(20):
        world.answer("127.0.0.9")
        assert 6.0 <= world.wait() <= 8.0
    assert len(world.asked) == 21
    assert len(world.node.joins) == 2, "told only what is new"


def test_in_a_large_cluster_less_often() -> None:
    world = World(backoff_max=8.0)
    world.node.others = [world.node.local] * 127
    world.join("seed")
    world.answer("127.0.0.9")
    assert 12.0 <= world.wait() <= 16.0


def test_an_address_that_a_look_up_drops_is_asked_for_ten_minutes_more() -> None:
    world = World(backoff_max=DAY)
    world.join("seed", "127.0.0.7")
    world.answer("127.0.0.9", "127.0.0.10")
    assert world.told == ["127.0.0.9", "127.0.0.10", "127.0.0.7"]
    world.now += 10
    world.resolver.refresh(world.now)
    world.wait()
    world.answer("127.0.0.10", "127.0.0.11")
    assert world.told == ["127.0.0.10", "127.0.0.11", "127.0.0.7", "127.0.0.9"]
    assert world.wait() == pytest.approx(KEPT)
    assert world.told == ["127.0.0.10", "127.0.0.11", "127.0.0.7"]


def test_one_that_comes_back_is_dropped_no_more() -> None:
    world = World(backoff_max=60.0)
    world.join("seed")
    for hosts in ("127.0.0.9",), ("127.0.0.10",), ("127.0.0.9",), ("127.0.0.9",):
        world.answer(*hosts)
        world.wait()
    assert set(world.told) == {"127.0.0.9", "127.0.0.10"}
    assert world.resolver.deadline < world.now + 60.0


def test_of_many_that_were_dropped_the_latest_are_asked() -> None:
    world = World(backoff_max=1.0)
    world.join("seed")
    for number in range(1, 200):
        world.answer(f"127.0.1.{number}")
        world.wait()
    assert len(world.told) == MAX_KEPT + 1
    assert world.told[-1] == "127.0.1.198"


def test_a_name_server_that_is_down_is_no_reason_to_forget() -> None:
    world = World()
    world.join("seed")
    world.answer("127.0.0.9")
    for _ in range(40):
        world.wait()
        world.answer()
    assert world.told == ["127.0.0.9"]


def test_a_name_that_does_not_resolve_is_tried_ever_more_rarely_and_warned_of_once_for_each_spell() -> None:
    world = World()
    world.join("seed")
    for expected in (1, 2, 4, 8, 16, 32, 60, 60):
        world.answer()
        assert 0.75 * expected <= world.wait() <= expected
    assert [notice.fields for notice in world.notices] == [{"event": "unresolved", "seeds": ["seed"]}]
    world.answer("127.0.0.9")
    world.wait()
    world.answer()
    assert world.wait() <= 1.0
    assert len(world.notices) == 2


def test_a_look_up_that_takes_too_long_is_given_up_and_its_late_answer_taken() -> None:
    world = World()
    world.join("seed")
    assert world.wait() == LATE
    assert "no answer from a name server within 10 s" in world.notices[0].text
    assert world.wait() <= 1.0
    assert len(world.asked) == 2
    world.answer(which=0)
    assert world.resolver.deadline == world.now + LATE, "the second is still under way"
    world.answer("127.0.0.9", which=0)
    assert world.told == ["127.0.0.9"]


def test_a_look_up_that_can_not_begin_is_a_failure_like_others() -> None:
    world = World()
    world.refuses = True
    world.join("seed")
    assert "no thread" in world.notices[0].text
    world.refuses = False
    assert world.wait() <= 1.0
    world.answer("127.0.0.9")
    assert world.told == ["127.0.0.9"]


def test_an_attempt_looks_up_again_unless_that_was_just_done_or_failed() -> None:
    world = World()
    world.join("seed")
    world.answer("127.0.0.9")
    world.resolver.refresh(world.now + 0.4)
    assert world.resolver.deadline > world.now + 1
    world.resolver.refresh(world.now + 0.6)
    assert world.resolver.deadline == pytest.approx(world.now + 0.6)
    world.wait()
    world.answer()
    due = world.resolver.deadline
    world.now += 0.1
    world.resolver.refresh(world.now)
    assert world.resolver.deadline == due


def test_another_list_replaces_the_first_and_forgets_its_names() -> None:
    world = World()
    world.join("one")
    world.join("two")
    world.answer("127.0.0.1", which=0)
    assert world.told == []
    world.answer("127.0.0.2", which=1)
    world.join("two", "three")
    assert world.told == ["127.0.0.2"]
    world.join()
    assert world.told == []
    assert world.resolver.deadline == inf


def test_after_the_end_nothing_is_due_and_an_answer_changes_nothing() -> None:
    world = World()
    world.join("seed")
    world.resolver.stop()
    world.answer("127.0.0.9")
    assert (world.told, world.resolver.deadline) == ([], inf)


def test_an_answer_to_a_node_that_has_left() -> None:
    world = World()
    world.join("seed")
    world.node.leave(now=world.now)
    world.answer("127.0.0.9")
    assert world.told == []


def test_who_was_a_member_once_is_asked_beside_the_seeds_until_there_is_company_and_for_ten_minutes_at_least() -> None:
    world = World()
    world.join("127.0.0.7")
    peers = [Address("127.0.0.9", 9), Address("127.0.0.7", 9), Address("::9", 9)]
    world.resolver.remember(peers, world.node, world.now)
    assert world.told == ["127.0.0.7", "127.0.0.9"]
    world.join("127.0.0.8")
    assert world.told == ["127.0.0.8", "127.0.0.9", "127.0.0.7"]
    assert world.wait() == KEPT
    assert world.told == ["127.0.0.8", "127.0.0.9", "127.0.0.7"], "still alone"
    world.node.others = [world.node.local]
    assert world.wait() == KEPT
    assert world.told == ["127.0.0.8"]
    assert world.resolver.deadline == inf


def test_nobody_to_remember() -> None:
    world = World()
    world.resolver.remember([], world.node, world.now)
    assert (world.node.joins, world.resolver.deadline) == ([], inf)
