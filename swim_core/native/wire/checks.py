"""What the types of messages can't say, so that it is checked after decoding: names, addresses, claims, orders."""

from collections.abc import Callable
from typing import Any

from swim_core.address import unpack
from swim_core.member import check_name

from .claim import check_claim
from .messages import AckElsewhere, ClaimOf, Join, JoinAck, NotMe, PingReq, SyncPage, SyncPush, Want

__all__ = ["CHECKS"]


def _check_join(join: Join) -> None:
    check_name(join.name)
    if join.claim is not None:
        check_claim(join.claim)


def _check_seen(ack: JoinAck | AckElsewhere) -> None:
    if ack.seen:
        unpack(ack.seen)


def _check_join_ack(ack: JoinAck) -> None:
    _check_seen(ack)
    for claim in (ack.held, ack.own):
        if claim is not None:
            check_claim(claim)


def _check_not_me(answer: NotMe) -> None:
    if answer.claim is not None:
        check_claim(answer.claim)


def _check_ranges(want: Want) -> None:
    end = 0
    for first, last in want.ranges:  # ascending and separate, so that nothing is asked for twice
        if not end < first <= last:
            raise ValueError("ranges out of order")
        end = last


def _check_entries(page: SyncPage | SyncPush) -> None:
    for entry in page.entries:
        check_claim(entry.claim)


CHECKS: dict[type, Callable[[Any], None]] = {
    PingReq: lambda request: check_claim(request.claim),
    Join: _check_join,
    JoinAck: _check_join_ack,
    AckElsewhere: _check_seen,
    ClaimOf: lambda answer: check_claim(answer.claim),
    NotMe: _check_not_me,
    Want: _check_ranges,
    SyncPage: _check_entries,
    SyncPush: _check_entries,
}
"""What to check of a message once it is decoded, by its type; each raises a ValueError. The others need no check."""
