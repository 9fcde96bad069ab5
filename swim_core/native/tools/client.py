"""The asking side of ASK and TELL: a tool that isn't a member, without sockets or clocks.

After every input drain `poll_datagram`, look at `done`, then read `poll_deadline`: the order of a node.
"""

from collections import deque
from enum import Enum
from random import Random

from swim_core.address import Address, is_loopback
from swim_core.counters import DropReason
from swim_core.keys import Keys
from swim_core.native.sealing.tool_seal import ToolSeal
from swim_core.native.wire.answers import Body, decode_body
from swim_core.native.wire.datagram import Codec, encode_item
from swim_core.native.wire.hashing import Hashes
from swim_core.native.wire.queries import ASK_SIZE, PAGE_SPACING, Ask, Tell, What
from swim_core.protocol import Datagram

__all__ = ["PATIENCE", "Failure", "ToolClient"]

PATIENCE = 2.0
"""Seconds without an answer after which a node is given up."""
FIRST_RETRY = 0.2  # seconds, doubled each time; longer than a node makes a host wait for its next page
PACE = 1.1 * PAGE_SPACING  # seconds from a page to the next request, beyond this host; clocks and queues jitter
MAX_PAGES = 20_000  # of 1,200 bytes: more than the largest view takes; bounds what a hostile node can make us keep
NOBODY = 0  # the sender: tools have no short id
BIN_HEADER = 3  # bytes of a long binary's header; that of an empty one has 2


class Failure(Enum):
    """Why there is no answer."""

    SILENT = "silent"
    """There was no answer for `PATIENCE`."""
    REFUSED = "refused"
    """The kernel there says that nobody listens on that port."""
    ENDLESS = "endless"
    """The answer has more pages than any view."""


class ToolClient:
    """Asks one node one question until the answer is complete or the node is given up. Not thread-safe.

    Args:
        what: the question.
        argument: of it.
        destination: where the node listens; numeric.
        cluster: its label; a node of another cluster does not answer.
        keys: keys of its members or of readers, tried in turn. With None the question is plain text.
        now: seconds on the caller's monotonic clock, the same in every call.
        random: gives nonces; seed it from real entropy, since nonces distinguish answers from forged ones.
        patience: seconds without an answer after which the node is given up.

    Attributes:
        pages: the answer, page by page, so far.
        failure: why there will be no further pages; None while there may be, and when the answer is complete.
        complete: whether the answer is complete.
    """

    def __init__(
        self,
        what: What,
        argument: bytes = b"",
        *,
        destination: Address,
        cluster: str = "",
        keys: Keys | None = None,
        now: float,
        random: Random,
        patience: float = PATIENCE,
    ) -> None:
        self.pages: list[Body] = []
        self.failure: Failure | None = None
        self.complete = False
        self._what = what
        self._argument = argument
        self._destination = destination
        self._random = random
        self._seal = None if keys is None else ToolSeal(keys, cluster, random)
        self._codec = Codec(Hashes(cluster, 1).label, self._seal)
        self._patience = patience
        self._out: deque[Datagram] = deque()
        self._cursor = 0
        self._nonce = 0
        self._asked = False  # this page, at least once
        self._padding = self._request = b""
        self._seen = now
        self._retry = FIRST_RETRY
        self._deadline = now + patience
        self._next = now
        self._prepare(0)
        self.feed_tick(now=now)

    @property
    def done(self) -> bool:
        """Whether there is nothing more to do: complete or failed."""
        return self.complete or self.failure is not None

    # ------------------------------------------------------------------ inputs

    def feed_datagram(self, data: bytes, *, now: float) -> None:
        """Take a datagram from any address. Never raises; anything but an answer to the current question is ignored.

        The nonce decides, not the source: a node on a host with several addresses may answer from another one.
        """
        now = self._advance(now)
        told = self._open(data)
        if told is None or self.done:
            return
        next_, body = told
        self.pages.append(body)
        if next_ is None:
            self.complete = True
        elif len(self.pages) >= MAX_PAGES or next_ <= self._cursor:
            self.failure = Failure.ENDLESS
        else:
            self._deadline = now + PACE + self._patience
            self._retry = FIRST_RETRY
            self._next = now if is_loopback(self._destination) else now + PACE
            self._prepare(next_)
            self.feed_tick(now=now)

    def feed_refused(self, destination: Address, quoted: bytes, *, now: float) -> None:
        """Note that a kernel says that nobody listens at ``destination``; ``quoted`` is the start of the refused
        datagram."""
        self._advance(now)
        if not self.done and destination == self._destination and quoted and self._request.startswith(quoted):
            self.failure = Failure.REFUSED

    def feed_tick(self, *, now: float) -> None:
        """Ask, ask again, or give up, as is due now; call it at `poll_deadline` or at any other time."""
        now = self._advance(now)
        if self.done:
            return
        if now >= self._deadline:
            self.failure = Failure.SILENT
        elif now >= self._next:
            if self._asked and self._seal is not None:
                self._seal.turn()
                self._request = self._pack(self._padding)
            self._asked = True
            self._out.append(Datagram(self._request, self._destination))
            self._next = now + self._retry
            self._retry *= 2

    # ------------------------------------------------------------------ outputs

    def poll_datagram(self) -> Datagram | None:
        """The next datagram to send, or None."""
        return self._out.popleft() if self._out and not self.done else None

    def poll_deadline(self) -> float | None:
        """When to call `feed_tick` at the latest, in seconds; None when done."""
        return None if self.done else min(self._next, self._deadline)

    # ------------------------------------------------------------------ inside

    def _advance(self, now: float) -> float:
        self._seen = max(self._seen, now)
        return self._seen

    def _prepare(self, cursor: int) -> None:
        """Make the request for the page that begins at ``cursor``."""
        self._cursor = cursor
        self._asked = False
        self._nonce = self._random.getrandbits(32)
        missing = ASK_SIZE - len(self._pack(b"")) - (BIN_HEADER - 2)
        self._padding = bytes(missing) if missing > 0xFF else b""
        self._request = self._pack(self._padding)

    def _pack(self, padding: bytes) -> bytes:
        ask = Ask(self._nonce, self._what, self._cursor, self._argument, padding)
        return self._codec.pack(0, NOBODY, encode_item(ask))

    def _open(self, data: bytes) -> tuple[int | None, Body] | None:
        """Where the next page begins, and this page, if the datagram answers the current question."""
        if len(data) > len(
            self._request
        ):  # members don't answer like that; 20,000 pages of 64 kB would fill the memory
            return None
        opened = self._codec.open(data)
        if isinstance(opened, DropReason):
            return None
        message = opened[1].message
        if not isinstance(message, Tell) or message.nonce != self._nonce:
            return None
        try:
            return message.next, decode_body(self._what, message.body)
        except (ValueError, RecursionError):
            return None
