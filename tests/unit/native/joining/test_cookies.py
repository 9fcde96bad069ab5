"""For how long a joiner's cookie is good: with keys, never longer than those who are gone are remembered."""

import pytest

from support.inside import parts_of
from swim_core import Address, Config, Key, Keys, Node
from swim_core.native.joining.cookies import COOKIE_LIFE, Cookies

KEYS = Keys([Key(bytes(range(32)))])
AT, ELSEWHERE = Address("10.0.0.9", 7946), Address("10.0.0.9", 7947)


def node_with(keys: Keys | None, **settings: float) -> Node:
    config = Config.lan(**settings)  # type: ignore[arg-type]
    return Node("me", ("10.0.0.1", 7946), config=config, now=0.0, entropy=bytes(32), unix_ms=10**12, keys=keys)


def cookies(keys: Keys | None, **settings: float) -> Cookies:
    return Cookies(parts_of(node_with(keys, **settings)).context, b"secret")


def good_for(cookies: Cookies, made: float) -> int:
    """For how many whole seconds a cookie that was made then is good."""
    cookie = cookies.make("bob", AT, made)
    return next(n for n in range(1_000) if not cookies.knows(cookie, "bob", AT, made + n)) - 1


@pytest.mark.parametrize(
    ("keys", "forget_after", "forget_left_after", "period"),
    [
        (KEYS, 86_400.0, 600.0, COOKIE_LIFE),
        (KEYS, 62.0, 600.0, 31),
        (KEYS, 600.0, 62.0, 31),
        (None, 10.0, 1.0, COOKIE_LIFE),  # without keys nobody needs a recording
    ],
)
def test_a_cookie_is_good_for_one_period_to_two(
    keys: Keys | None, forget_after: float, forget_left_after: float, period: float
) -> None:
    ours = cookies(keys, forget_after=forget_after, forget_left_after=forget_left_after)
    lives = [good_for(ours, 5 * period + n) for n in range(int(period))]
    assert (min(lives), max(lives)) == (period, 2 * period - 1)
    assert max(lives) < min(forget_after, forget_left_after) or keys is None


def test_a_cookie_is_for_one_name_at_one_address() -> None:
    ours = cookies(KEYS)
    cookie = ours.make("bob", AT, 1.0)
    assert ours.knows(cookie, "bob", AT, 2.0)
    assert not ours.knows(cookie, "eve", AT, 2.0)
    assert not ours.knows(cookie, "bob", ELSEWHERE, 2.0)


@pytest.mark.parametrize("keys", [KEYS, None], ids=["sealed", "plain"])
def test_where_somebody_was_forgotten_before_their_time_no_earlier_cookie_is_good_with_keys(keys: Keys | None) -> None:
    node = node_with(keys)
    context = parts_of(node).context
    ours = Cookies(context, b"secret")
    cookie = ours.make("bob", AT, 1.0)
    context.table.crowded_out += 1
    assert ours.knows(cookie, "bob", AT, 2.0) is (keys is None)
    assert ours.knows(ours.make("bob", AT, 2.0), "bob", AT, 2.0)
