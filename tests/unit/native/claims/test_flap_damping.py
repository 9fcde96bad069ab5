"""On request, applications get fewer events about members that flap; their views stay accurate."""

import pytest

from support.hand import Hand, peers
from swim_core import Config, MemberDied, MemberJoined, MemberLeft, MemberRecovered, MemberSuspected, State

A, B, C = peers(3)
DAMPED = Config.lan(flap_damping=20.0)


class Flapper(Hand):
    """A node that is told of B's deaths and recoveries."""

    def __init__(self, config: Config | None = DAMPED) -> None:
        super().__init__(knows=[A, B, C], config=config)
        self.answering = [A, C]
        self.incarnation = 0
        self.clear()

    def die(self) -> None:
        time = self.cluster_time
        self.feed(A, claims=[B.claim(State.DEAD, incarnation=self.incarnation, time=time)])
        assert self.state(B) is State.DEAD

    def recover(self) -> None:
        self.incarnation += 1
        self.feed(B, claims=[B.claim(incarnation=self.incarnation)])
        assert self.state(B) is State.ALIVE

    def flap(self, times: int, every: float = 5.0) -> None:
        for _ in range(times):
            self.die()
            self.run(every / 2)
            self.recover()
            self.run(every / 2)

    @property
    def kinds(self) -> list[type]:
        return [type(event) for event in self.events]


def test_without_the_option_all_is_told() -> None:
    hand = Flapper(config=None)
    hand.flap(10)
    assert hand.kinds.count(MemberDied) == hand.kinds.count(MemberRecovered) == 10


def test_from_the_third_recovery_in_a_minute_on_nothing_is_told_until_it_is_quiet() -> None:
    hand = Flapper()
    hand.flap(10)
    assert hand.kinds == [MemberDied, MemberRecovered] * 3
    assert hand.node.statistics().events_damped >= 14
    hand.answering = [A, B, C]
    hand.run(30.0)
    assert hand.kinds == [MemberDied, MemberRecovered] * 3
    hand.die()
    assert hand.kinds[6:] == [MemberDied], "it is told of at once again"


def test_a_flapping_member_that_stays_dead_is_told_dead_after_the_quiet_time() -> None:
    hand = Flapper()
    hand.flap(5)
    hand.die()
    hand.run(19.0)
    assert hand.kinds == [MemberDied, MemberRecovered] * 3
    hand.run(1.1)
    assert hand.kinds == [MemberDied, MemberRecovered] * 3 + [MemberDied]
    hand.recover()
    assert hand.kinds[-1] is MemberRecovered


def test_three_recoveries_in_more_than_a_minute_are_all_told() -> None:
    hand = Flapper()
    hand.flap(6, every=31.0)
    assert hand.kinds.count(MemberDied) == hand.kinds.count(MemberRecovered) == 6


@pytest.mark.parametrize("how", ["left", "restarted"])
def test_a_goodbye_and_a_new_run_are_told_at_once_and_end_it(how: str) -> None:
    hand = Flapper()
    hand.flap(5)
    if how == "left":
        hand.feed(B, claims=[B.claim(State.LEFT, incarnation=hand.incarnation)])
        assert hand.kinds[-1] is MemberLeft
        return
    hand.die()
    (again,) = peers(1, first=2)
    again.name, again.address, again.epoch = B.name, B.address, B.epoch + (1 << 16)
    hand.feed(A, claims=[again.claim()])
    assert hand.kinds[-1] is MemberJoined


def test_suspicions_of_it_are_withheld_and_those_of_others_are_not() -> None:
    hand = Flapper()
    hand.flap(4)
    before = len(hand.events)
    hand.feed(A, claims=[B.claim(State.SUSPECT, incarnation=hand.incarnation, time=hand.cluster_time)])
    assert hand.state(B) is State.SUSPECT
    assert len(hand.events) == before
    hand.feed(A, claims=[C.claim(State.SUSPECT, time=hand.cluster_time)])
    assert hand.kinds[before:] == [MemberSuspected]
