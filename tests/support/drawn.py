"""Everything that native datagrams contain, drawn at random within its bounds."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from swim_core import Rule, State
from swim_core.address import canonical, pack
from swim_core.native.wire.claim import Claim, Verdict
from swim_core.native.wire.messages import (
    Ack,
    AckElsewhere,
    Announce,
    Broadcast,
    ClaimOf,
    Join,
    JoinAck,
    KernelVerdict,
    NotMe,
    Number,
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

__all__ = ["MESSAGES", "TIMES", "U32", "U64", "addresses", "broadcasts", "claims", "numbers", "u32", "u64"]

U32, U64 = 2**32 - 1, 2**64 - 1
TIMES = 2**48 - 1

u32 = st.integers(0, U32)
u64 = st.integers(0, U64)
times = st.integers(0, TIMES)  # cluster time, ms: what an epoch has room for
names = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=16)
addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).flatmap(
    lambda ip: st.integers(1, 65_535).map(lambda port: canonical(str(ip), port))
)
metadata = st.dictionaries(st.text(max_size=8), st.text(max_size=16), max_size=4).map(
    lambda d: msgspec.msgpack.encode(d) if d else b""
)
verdicts = st.builds(Verdict, u64, st.sampled_from(Rule), times)


@st.composite
def claims(draw: st.DrawFn) -> Claim:
    state = draw(st.sampled_from(State))
    return Claim(
        draw(names),
        draw(u64),
        pack(draw(addresses)),
        draw(u32),
        state,
        draw(metadata) if state.live else None,
        None if state is State.ALIVE else draw(verdicts),
    )


entries = st.builds(PageEntry, claims(), u32)
padding = st.binary(max_size=20)
cookies = st.binary(max_size=16)
rings = st.integers(1, 255)
ranges = st.lists(st.integers(1, U32), min_size=2, max_size=64, unique=True).map(
    lambda ends: list(zip(sorted(ends)[::2], sorted(ends)[1::2], strict=False))
)
MESSAGES: dict[type, st.SearchStrategy[Any]] = {
    Ping: st.builds(Ping, u32, u64, times, st.none() | u32),
    Ack: st.builds(Ack, u32, u64),
    AckElsewhere: st.builds(AckElsewhere, u32, u64, st.just(b"") | addresses.map(pack), st.just(0) | u32),
    PingReq: st.builds(PingReq, u32, claims()),
    Vote: st.builds(Vote, u64, u32, u32, st.sampled_from(VoteKind), u32, st.sampled_from(KernelVerdict), u32),
    Poll: st.builds(Poll, u64, u32, u32),
    Join: st.builds(Join, u32, names, u32, rings, u32, u32, st.none() | cookies, st.none() | claims(), padding),
    JoinAck: st.builds(
        JoinAck, u32, st.none() | cookies, times, u32, rings, u32, st.none() | claims(), st.none() | claims()
    ),
    SyncReq: st.builds(SyncReq, u32, st.lists(u64, min_size=1, max_size=128), u64, padding),
    SyncPage: st.builds(SyncPage, u32, st.none() | u64, st.binary(max_size=16), st.lists(entries, max_size=4)),
    WantClaim: st.builds(WantClaim, u64, u32),
    Want: st.builds(Want, u64, ranges, padding),
    ClaimOf: st.builds(ClaimOf, u32, claims()),
    NotMe: st.builds(NotMe, u32, st.none() | claims()),
    Announce: st.builds(Announce, st.integers(1, 65_535), padding),
    UserMessage: st.builds(UserMessage, st.binary(max_size=300)),
    SyncPush: st.builds(SyncPush, st.lists(entries, max_size=4)),
    Ask: st.builds(Ask, u32, st.sampled_from(What), u64, st.binary(max_size=64), padding),
    Tell: st.builds(Tell, u32, st.none() | u64, st.binary(max_size=300)),
}
numbers = st.builds(Number, u64, u32)
broadcasts = st.builds(Broadcast, names, u64, st.integers(1, U32), st.binary(max_size=300))
