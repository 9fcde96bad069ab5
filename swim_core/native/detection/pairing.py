"""The pairs of members that meet in each round, and when: a tournament that each member computes by itself
(docs/protocol.md, section 3).

In SWIM each member pings one other per period, drawn at random. Some are then pinged by several and some by none, so a
crash may go unseen for several periods, and n members need n exchanges. Here all members are in one order (by a hash of
their names) and agree by cluster time on the number of the round. That is enough for each to know its partner: one of
the two pings, the other acks, and both have shown that they are alive. Each member is examined in every round, with n /
2 exchanges.

The pairs are those of a round-robin tournament. In round r two, at places i and j, are a pair if

    i + j = c(r) modulo M,    with M the odd one of n and n - 1, and c(r) = floor(frac(r x golden ratio) x M)

For each i there is one j, for which the sum is the same. So nobody has two partners, and both agree without a message.
As M is odd, exactly one place has 2 i = c(r) and would meet itself. It is *left over*: if n is even, it meets place n -
1, which is outside the sum; if n is odd, the member at the next place, which also has a partner, pings it as well.

Multiples of the golden ratio are spread evenly over the unit interval, and successive ones are far apart. So a member
meets others from all over the order in successive rounds, and all of them in the long run. c(r) is a *fraction* of the
order: a view that differs by one member shifts partners by a few places, and doesn't change all pairs. If two members
still disagree, the one whose partner fails to ping it pings instead (`Prober`). Such a round costs more, but nobody
goes unexamined.

These are pure functions; the state of a node's turn is in `prober`.
"""

from math import floor, modf
from typing import NamedTuple

__all__ = ["SPREAD", "Meeting", "meeting", "moment"]

GOLDEN = 0.6180339887498949
WHOLE = 1 << 64  # a phase is a fraction of it
SCATTER = 0x9E3779B97F4A7C15  # odd; the sums of a round's pairs lie close together, since their places do
SPREAD = 0.25  # share of a round in which its pairs meet; a larger one would lengthen the time between meetings


class Meeting(NamedTuple):
    """What a member does in a round.

    Attributes:
        partner: the place of the member that it meets; its own place if it is left over.
        pings: whether it is the one that pings.
        besides: the place of the left-over member that it pings as well; usually None.
    """

    partner: int
    pings: bool
    besides: int | None


def meeting(place: int, round_: int, members: int) -> Meeting:
    """The meeting in a round of the member at ``place``, from 0 to ``members`` - 1; there must be at least two
    ``members``.

    The lower place pings in even rounds, the higher one in odd ones.
    """
    odd = members % 2
    modulus = members - 1 + odd
    turn = floor(modf(round_ * GOLDEN)[0] * modulus)
    left_over = turn * (modulus + 1) // 2 % modulus
    if place == modulus:
        partner = left_over
    elif place == left_over:
        partner = place if odd else modulus
    else:
        partner = (turn - place) % modulus
    besides = left_over if odd and (left_over + 1) % members == place else None
    return Meeting(partner, (place < partner) is (round_ % 2 == 0), besides)


def moment(phase: int, partner: int, round_: int, interval: float) -> float:
    """When the two members with these phases meet: in the first quarter of a round, in the unit of ``interval``."""
    return (round_ + SPREAD * ((phase + partner) * SCATTER % WHOLE) / WHOLE) * interval
