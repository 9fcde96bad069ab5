"""What the network does to a datagram on its way from one address to another."""

from math import inf
from typing import Any

import attrs

__all__ = ["Link"]


def _share(_: object, attribute: "attrs.Attribute[Any]", value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{attribute.name} is a probability from 0 to 1, not {value!r}")


def _duration(_: object, attribute: "attrs.Attribute[Any]", value: float) -> None:
    if not 0 <= value < float("inf"):
        raise ValueError(f"{attribute.name} is a number of seconds from 0, not {value!r}")


@attrs.frozen(kw_only=True)
class Link:
    """How datagrams fare in one direction. The defaults are a healthy local network.

    Each datagram takes ``delay`` + a random time with an exponential distribution of mean ``jitter`` +
    a random time up to ``processing``. Jitter alone may reorder.

    Attributes:
        delay: seconds; the least a datagram takes.
        jitter: seconds, the mean of the exponential part.
        processing: seconds, the most that sender and receiver take in their programs.
        loss: the share of datagrams that never arrive.
        duplication: the share that arrive twice, each copy in its own time.
        reordering: the share that are held back so that later ones overtake them.
        holding: seconds, the most that a datagram is held back.
        largest: bytes of payload; larger datagrams silently vanish, as in a tunnel whose ICMP is filtered.
    """

    delay: float = attrs.field(default=0.0003, validator=_duration)
    jitter: float = attrs.field(default=0.0001, validator=_duration)
    processing: float = attrs.field(default=0.00025, validator=_duration)
    loss: float = attrs.field(default=0.0, validator=_share)
    duplication: float = attrs.field(default=0.0, validator=_share)
    reordering: float = attrs.field(default=0.0, validator=_share)
    holding: float = attrs.field(default=0.02, validator=_duration)
    largest: float = attrs.field(default=inf, validator=attrs.validators.gt(0))

    @classmethod
    def exact(cls, delay: float) -> "Link":
        """A link that takes ``delay`` seconds each time and loses nothing."""
        return cls(delay=delay, jitter=0.0, processing=0.0)

    @classmethod
    def wan(cls, loss: float = 0.0) -> "Link":
        """A path between regions: 40 ms one way and some jitter."""
        return cls(delay=0.04, jitter=0.002, loss=loss)

    def with_loss(self, loss: float) -> "Link":
        """This link with another share of losses."""
        return attrs.evolve(self, loss=loss)
