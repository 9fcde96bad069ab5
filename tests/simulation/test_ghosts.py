"""A member tells of others that don't exist, in a burst or constantly: nobody believes it, and it hides nothing."""

import pytest

from support.ghosts import Ghosts, Toll

BURST = {"at_once": 200, "lost_after": 5.0}
ON_AND_ON = {"per_half_second": 25, "lost_after": 30.0}  # fifty new ones a second
LARGE = [pytest.param(members, marks=pytest.mark.slow) for members in (32, 128)]


def check(toll: Toll, members: int) -> None:
    assert len(toll.known) == members - 1
    assert max(toll.known) <= 6.0  # as without: 3.3 to 4.6 s
    assert max(toll.first, toll.worst) <= 45.0  # 8 members without: 30 to 43, which the lost host costs
    assert toll.to_third <= 10_000
    assert toll.believed == toll.false_deaths == 0


@pytest.mark.parametrize("to_all", [False, True], ids=["to one", "to all"])
@pytest.mark.parametrize("attack", [BURST, ON_AND_ON], ids=["a burst", "on and on"])
@pytest.mark.parametrize("members", [3, 8, *LARGE])
def test_a_lost_host_is_known_as_soon_as_ever(members: int, attack: dict[str, float], to_all: bool) -> None:
    check(Ghosts(members, to_all=to_all).run(**attack), members)  # type: ignore[arg-type]


@pytest.mark.parametrize("attack", [BURST, ON_AND_ON], ids=["a burst", "on and on"])
@pytest.mark.parametrize("members", [3, 8, *LARGE])
def test_a_host_that_all_are_told_of_gets_no_more_than_ten_kilobytes(members: int, attack: dict[str, float]) -> None:
    check(Ghosts(members, to_all=True, one_host=True).run(**attack), members)  # type: ignore[arg-type]


def test_a_killed_process_is_known_at_once() -> None:
    toll = Ghosts(8).run(**BURST, crash=True)  # type: ignore[arg-type]
    assert max(toll.known) < 0.05
    check(toll, 8)
