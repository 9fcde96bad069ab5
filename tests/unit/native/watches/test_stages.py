"""The stages of a watch: which may follow which, and which ones it goes through."""

from itertools import pairwise

import pytest

from support.accuser import Accuser, S
from support.inside import parts_of
from swim_core import Config, State
from swim_core.native.detection.watch import NEXT, Stage, Watch
from swim_core.native.wire.messages import PingReq

ORDER = [Stage.HELPING, Stage.ACCUSING, Stage.POLLING, Stage.OVER]


def watch_on(hand: Accuser) -> Watch:
    watch = parts_of(hand.node).watches.of(hand.subject.short_id)
    assert watch is not None
    return watch


def test_each_stage_may_follow_the_one_before_it_and_the_last_is_the_end() -> None:
    assert set(NEXT) == set(Stage)
    assert all(later in NEXT[earlier] for earlier, later in pairwise(ORDER))
    assert all(Stage.OVER in NEXT[stage] for stage in ORDER[:-1])
    assert not NEXT[Stage.OVER]
    assert all(stage not in NEXT[stage] and Stage.HELPING not in NEXT[stage] for stage in Stage)


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("following", Stage)
def test_a_watch_goes_on_only_to_what_may_follow(stage: Stage, following: Stage) -> None:
    hand = Accuser()
    hand.accuse()
    watch = watch_on(hand)
    watch.stage = stage
    if following in NEXT[stage] or following is stage:
        watch.enter(following)
        assert watch.stage is following
    else:
        with pytest.raises(AssertionError, match=f"from {stage.name} to {following.name}"):
            watch.enter(following)


def test_a_watch_of_a_hung_member_goes_through_all_of_them() -> None:
    hand = Accuser(config=Config.lan(tripwires=False))
    hand.run(0.05)
    hand.feed(hand.members[0], PingReq(1, hand.subject.claim()))
    watch = watch_on(hand)
    seen = [watch.stage]
    began = hand.accuse()
    while hand.state(hand.subject) is not State.DEAD and hand.now < began + 3 * S:
        hand.run(0.02)
        if watch.stage is not seen[-1]:
            seen.append(watch.stage)
    assert seen == ORDER
    assert parts_of(hand.node).watches.of(hand.subject.short_id) is None
