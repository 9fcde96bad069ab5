"""What became of the datagrams of a simulation."""

import attrs

__all__ = ["Traffic"]


@attrs.define
class Traffic:
    """Counters of datagrams. ``sent`` = delivered + lost + blocked + refused + vanished - duplicated + in flight."""

    sent: int = 0
    delivered: int = 0
    lost: int = 0
    blocked: int = 0
    duplicated: int = 0
    reordered: int = 0
    refused: int = 0
    vanished: int = 0
    """Arrived where no process is, and was not refused: the host is gone, silent, or at its limit."""
