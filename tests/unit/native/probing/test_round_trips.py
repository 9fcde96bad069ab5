"""How long to wait for a member's answer, whatever is known of round trips."""

import pytest

from swim_core import Config
from swim_core.native.round_trips import RoundTrips


def trips(*samples: float) -> RoundTrips:
    known = RoundTrips(Config.lan())
    for sample in samples:
        known.add(sample)
    return known


def test_where_nothing_is_known_it_is_the_probe_timeout() -> None:
    assert trips().answer_of(None) == trips().probe_timeout == 0.5


@pytest.mark.parametrize(
    ("samples", "last", "wait"),
    [
        ([0.001], None, 0.004),
        ([0.001, 0.002, 0.009], None, 0.008),
        ([0.001], 0.010, 0.020),
        ([0.3], None, 0.5),
        ([0.001] * 7 + [0.009], None, 0.002),
        ([0.040] * 30 + [0.001] * 9, None, 0.002),
        ([0.001] * 8, 0.003, 0.006),
    ],
)
def test_a_few_samples_say_something_and_eight_have_a_median(
    samples: list[float], last: float | None, wait: float
) -> None:
    assert trips(*samples).answer_of(last) == pytest.approx(wait)
