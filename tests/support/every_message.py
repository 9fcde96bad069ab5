"""One message of every kind, for tests that must leave none out, not even one that is added later."""

from typing import get_args

from support.hand import UNIX_MS, Peer
from swim_core.address import pack
from swim_core.native.wire.messages import (
    Ack,
    AckElsewhere,
    Announce,
    ClaimOf,
    Join,
    JoinAck,
    Message,
    NotMe,
    PageEntry,
    Ping,
    PingReq,
    Poll,
    SyncPage,
    SyncPush,
    SyncReq,
    UserMessage,
    Vote,
    VoteKind,
    Want,
    WantClaim,
)
from swim_core.native.wire.queries import Ask, Tell, What

__all__ = ["every_message"]


def every_message(receiver: Peer, known: Peer, stranger: Peer) -> list[Message]:
    """A valid message of each kind to ``receiver``, about a member that it knows and one that it doesn't."""
    messages: list[Message] = [
        Ping(1, receiver.short_id, UNIX_MS, 0),
        Ack(1, 2),
        AckElsewhere(1, 2, pack(stranger.address), 3),
        PingReq(1, known.claim()),
        Vote(known.short_id, 0, 0, VoteKind.ALIVE, 0),
        Poll(known.short_id, 0, 7),
        Join(1, stranger.name, 1_000, 4, 5_000, 1_200),
        JoinAck(1, None, UNIX_MS, 1_000, 4, 5_000, known.claim(), stranger.claim()),
        SyncReq(1, [1], 0),
        SyncPage(1, None, b"\1", [PageEntry(stranger.claim(), 5)]),
        SyncPush([PageEntry(known.claim(), 9), PageEntry(stranger.claim(), 9)]),
        WantClaim(known.short_id, 1),
        Want(receiver.short_id, [(1, 2**32 - 1)]),
        ClaimOf(1, stranger.claim()),
        NotMe(1, stranger.claim()),
        Announce(7_946),
        UserMessage(b"hello"),
        Ask(1, What.MEMBERS, 0),
        Tell(1, None, b"\x90"),
    ]
    assert {type(message) for message in messages} == set(get_args(Message)), "a kind of message has no sample here"
    return messages
