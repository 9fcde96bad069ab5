"""The messages of the native protocol, and the other items in datagrams.

The types have the bounds, so decoding checks them. Struct tags are the numbers of the messages; ASK and TELL (12, 13)
are in `queries`.

What else is true of each message stands in `traits`, and what its types can't say is checked in `checks`.
docs/contributing.md has the recipe for a new one.
"""

from enum import IntEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from swim_core.member import keep_number

from .claim import U32, U64, Claim, Millis
from .queries import Ask, Tell

__all__ = [
    "Ack",
    "AckElsewhere",
    "Announce",
    "Ask",
    "Broadcast",
    "ClaimOf",
    "Further",
    "Join",
    "JoinAck",
    "KernelVerdict",
    "Message",
    "NotMe",
    "Number",
    "PageEntry",
    "Ping",
    "PingReq",
    "Poll",
    "SyncPage",
    "SyncPush",
    "SyncReq",
    "Tell",
    "UserMessage",
    "Vote",
    "VoteKind",
    "Want",
    "WantClaim",
]

MAX_DATAGRAM = 65_507  # the most that UDP over IPv4 carries
MAX_PAYLOAD = 60_000
MAX_RANGES = 32
MAX_BUCKETS = 128


class VoteKind(IntEnum):
    """What a helper says about a subject."""

    ALIVE = 0
    SILENT = 1
    PAUSED = 2
    """As SILENT, but this helper paused within the stall tolerance; the silence counts only time awake."""

    @classmethod
    def _missing_(cls, value: object) -> "VoteKind | None":
        return keep_number(cls, value)


class KernelVerdict(IntEnum):
    """What a helper's kernel says about a subject."""

    NONE = 0
    REFUSED = 1
    """By the rule for a verdict of GONE, as seen by this voter."""
    REACHABLE = 2
    SILENT = 3

    @classmethod
    def _missing_(cls, value: object) -> "KernelVerdict | None":
        return keep_number(cls, value)


class _Base(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    pass


Padding = Annotated[bytes, Meta(max_length=MAX_DATAGRAM)]
Payload = Annotated[bytes, Meta(max_length=MAX_PAYLOAD)]


class Ping(_Base, frozen=True, tag=1):
    """Are you there? ``time`` is cluster time in ms; ``accused`` the incarnation that is under watch."""

    seq: U32
    target: U64
    time: Millis
    accused: U32 | None = None


class Ack(_Base, frozen=True, tag=2):
    """I am. ``digest`` is the sender's view digest."""

    seq: U32
    digest: U64


class AckElsewhere(_Base, frozen=True, tag=19):
    """An ACK to a sender that isn't a live member at the source of its ping, which is ``seen``, packed, if it fits.
    With a ``nonce`` it asks for the sender's claim, as WANT_CLAIM does."""

    seq: U32
    digest: U64
    seen: Annotated[bytes, Meta(max_length=18)] = b""
    nonce: U32 = 0


class PingReq(_Base, frozen=True, tag=3):
    """Watch the member of this claim for me."""

    seq: U32
    claim: Claim


class Vote(_Base, frozen=True, tag=4):
    """What I see of a subject: ``silence`` in ms awake, ``kernel_age`` in ms; ``nonce`` answers a poll, else 0."""

    subject: U64
    incarnation: U32
    nonce: U32
    kind: VoteKind
    silence: U32
    kernel: KernelVerdict = KernelVerdict.NONE
    kernel_age: U32 = 0


class Poll(_Base, frozen=True, tag=5):
    """Say what you see of the subject now."""

    subject: U64
    incarnation: U32
    nonce: U32


class Join(_Base, frozen=True, tag=6):
    """Let me in. The second JOIN has the cookie and the claim. ``interval`` and ``stall`` are ms, ``time`` is cluster
    time, and ``members`` how many live in its sender's view."""

    seq: U32
    name: Annotated[str, Meta(min_length=1, max_length=64)]
    interval: U32
    rings: Annotated[int, Meta(ge=1, le=255)]
    stall: U32
    limit: U32
    cookie: Annotated[bytes, Meta(max_length=16)] | None = None
    claim: Claim | None = None
    padding: Padding = b""
    time: Millis = 0
    members: U32 = 1


class JoinAck(_Base, frozen=True, tag=7):
    """Ask again with this cookie; or, without a cookie, you are in, and ``own`` is my claim. ``held`` is the claim held
    of your name."""

    seq: U32
    cookie: Annotated[bytes, Meta(max_length=16)] | None
    time: Millis
    interval: U32
    rings: Annotated[int, Meta(ge=1, le=255)]
    stall: U32
    held: Claim | None = None
    own: Claim | None = None
    seen: Annotated[bytes, Meta(max_length=18)] = b""
    """Where the JOIN came from. If a cookie answers a JOIN with a cookie, it is not let in, since it claims another
    address."""
    members: U32 = 1


class SyncReq(_Base, frozen=True, tag=8):
    """Send what differs from these bucket digests, from position ``cursor`` of the phase order on."""

    id: U32
    buckets: Annotated[list[U64], Meta(min_length=1, max_length=MAX_BUCKETS)]
    cursor: U64
    padding: Padding = b""


class PageEntry(_Base, frozen=True):
    """A claim, and the highest broadcast number known from that run."""

    claim: Claim
    number: U32


class SyncPage(_Base, frozen=True, tag=9):
    """A page of the sender's claims. ``cursor`` is where the next one starts, None at the end; ``differing`` the
    buckets that differ, as a bitmap (bucket 0 is the lowest bit)."""

    id: U32
    cursor: U64 | None
    differing: Annotated[bytes, Meta(max_length=MAX_BUCKETS // 8)]
    entries: list[PageEntry]


class WantClaim(_Base, frozen=True, tag=10):
    """Asks for the claim of the run with this short id."""

    short_id: U64
    nonce: U32


class Want(_Base, frozen=True, tag=11):
    """Send me these broadcasts of an origin again; ranges include both ends."""

    origin: U64
    ranges: Annotated[list[tuple[U32, U32]], Meta(min_length=1, max_length=MAX_RANGES)]
    padding: Padding = b""


class UserMessage(_Base, frozen=True, tag=14):
    """For the application of the receiver alone."""

    payload: Payload


class ClaimOf(_Base, frozen=True, tag=16):
    """The answer to WANT_CLAIM."""

    nonce: U32
    claim: Claim


class NotMe(_Base, frozen=True, tag=17):
    """The answer to a PING for another run: which run is here instead, if there is room to say so."""

    seq: U32
    claim: Claim | None = None


class Announce(_Base, frozen=True, tag=18):
    """To a multicast group: I listen on this port of the source address."""

    port: Annotated[int, Meta(ge=1, le=65_535)]
    padding: Padding = b""


class SyncPush(_Base, frozen=True, tag=15):
    """Claims of which the asker of a sync holds a higher one than the answerer showed."""

    entries: list[PageEntry]


class Number(_Base, frozen=True):
    """The highest broadcast number of an origin."""

    origin: U64
    highest: U32


class Broadcast(_Base, frozen=True):
    """One user broadcast, with its origin in full, since it may arrive before the origin's claim."""

    origin: Annotated[str, Meta(min_length=1, max_length=64)]
    epoch: U64
    number: Annotated[int, Meta(ge=1, le=2**32 - 1)]
    payload: Payload


Further = PingReq | Vote | Poll
"""The messages that may follow the first one of a datagram: watches on many members have much to ask and to say at
once."""

Message = (
    Ping
    | Ack
    | AckElsewhere
    | PingReq
    | Vote
    | Poll
    | Join
    | JoinAck
    | SyncReq
    | SyncPage
    | WantClaim
    | Want
    | UserMessage
    | SyncPush
    | Announce
    | ClaimOf
    | NotMe
    | Ask
    | Tell
)
