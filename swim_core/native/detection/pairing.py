"""Who meets whom in which round, and when: a tournament, computed by each member alone
(docs/protocol.md, section 3).

In SWIM each member pings one other per period, drawn at random. Some are then pinged by several and
some by none, so a crash may go unseen for periods, and n members cost n exchanges. Here all members
stand in one order (by a hash of their names), and agree by cluster time on the number of the round.
That is enough for each to know its partner: one of the two pings, the other acks, and both have
shown that they live. Each member is examined in every round, for n / 2 exchanges.

The pairs are those of a round-robin tournament. In round r two, at places i and j, are a pair if

    i + j = c(r) modulo M,    with M the odd one of n and n - 1, and c(r) = floor(frac(r x golden ratio) x M)

For each i there is one j, and theirs is the same sum: so nobody has two partners, and both agree
without a word. As M is odd, just one place has 2 i = c(r), and would meet itself. It is *left
over*: where n is even it meets place n - 1, which stands outside; where n is odd the member at the
next place, which has a partner besides, pings it, too.

Multiples of the golden ratio fall evenly into the unit interval, and successive ones far apart. So
a member meets others from all over the order in successive rounds, and all of them in the long run.
c(r) is a *fraction* of the order: a view that differs by one member shifts partners by few places,
and not all pairs anew. Where two disagree all the same, one waits in vain and then pings
(`Prober`), so that a round costs more, and nobody goes unexamined.

All of it is pure functions; the turn of a node, which has states, is in `prober`.
"""

from math import floor, modf
from typing import NamedTuple

__all__ = ["SPREAD", "Meeting", "meeting", "moment"]

GOLDEN = 0.6180339887498949
WHOLE = 1 << 64  # a phase is a fraction of it
SCATTER = 0x9E3779B97F4A7C15  # odd; the sums of a round's pairs lie close together, since their places do
SPREAD = 0.25  # share of a round in which its pairs meet; more of it, and more time lies between meetings of a member


class Meeting(NamedTuple):
    """What a member does in a round.

    Attributes:
        partner: the place of whom it meets; its own place if it is left over.
        pings: whether it is the one of the two to ping.
        besides: the place of whom it pings besides, who is left over; None as a rule.
    """

    partner: int
    pings: bool
    besides: int | None


def meeting(place: int, round_: int, members: int) -> Meeting:
    """Whom the member at ``place``, of 0 to ``members`` - 1, meets in a round, of at least two ``members``.

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
    """When the two with these phases meet: in the first quarter of a round, in the unit of ``interval``."""
    return (round_ + SPREAD * ((phase + partner) * SCATTER % WHOLE) / WHOLE) * interval
