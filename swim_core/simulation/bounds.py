"""Within which bounds a protocol keeps its promises."""

import attrs

__all__ = ["Bounds"]


@attrs.frozen(kw_only=True)
class Bounds:
    """What a protocol promises. The defaults are those of the native protocol on a local network.

    Attributes:
        stall_tolerance: seconds; a member obstructed for less is not declared dead.
        host_tolerance: seconds; the same for a member that is cut off, where processes have tripwires.
        after_obstruction: seconds for which a longer obstruction still excuses a death, since verdicts may be on their
            way.
        death_known: seconds from the end of a process until all that can be reached know, in quiet times: S + T, a
            margin of up to 1.5 T where round trips were long, 2 s in which the member is asked about old news, and
            some.
        death_known_at_last: the same, whatever happens to others meanwhile.
        pending: items that may wait to be sent at one node.
    """

    stall_tolerance: float = 5.0
    host_tolerance: float = 3.0
    after_obstruction: float = 3.0
    death_known: float = 10.0
    death_known_at_last: float = 30.0
    pending: int = 4_096
