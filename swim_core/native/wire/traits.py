"""What is true of each kind of message besides its fields: what it shows, what it proves, and what may go with it."""

from .messages import Ack, AckElsewhere, Announce, Ask, ClaimOf, Join, JoinAck, Message, NotMe, Ping, Tell

__all__ = ["ANSWERS", "INTRODUCTIONS", "REMINDING", "UNBOUND", "shows_own_claim"]

UNBOUND = frozenset((Ping, Join, Announce, Ask, Tell))
"""Messages sealed for any run: the receiver's run is not known, or, with PING, the message names it."""

INTRODUCTIONS = frozenset((Join, JoinAck, ClaimOf, NotMe, Ask, Tell))
"""Messages whose senders are not asked who they are: they say it in the message, or are tools."""

ANSWERS = (Ack, AckElsewhere, Join, JoinAck, ClaimOf, NotMe)
"""Messages that answer a random number or a cookie of the receiver, so that they can't be recordings."""

REMINDING = frozenset((Ping, Ack))
"""Messages that each member sends and gets in every round: numbers of broadcasts ride on these."""

_TO_STRANGERS = frozenset((Announce, Tell))


def shows_own_claim(message: Message | None) -> bool:
    """Whether a datagram about ``message`` may show its sender's claim to a member: all but some without one."""
    if isinstance(message, Join | NotMe):
        return message.claim is not None
    if isinstance(message, JoinAck):
        return message.own is not None
    return type(message) not in _TO_STRANGERS
