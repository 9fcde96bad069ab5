"""A tool's `ToolClient` and a `Hand`'s node put together, without sockets."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import msgspec

from support.datagrams import pack_datagram
from support.hand import Hand
from swim_core import Address
from swim_core.native.tools.client import ToolClient
from swim_core.native.wire.answers import Body, MembersPage, Standing, Teller
from swim_core.native.wire.datagram import encode_item
from swim_core.native.wire.queries import Ask, Tell, What

LOCAL = Address("127.0.0.1", 40_001)
REMOTE = Address("198.51.100.7", 40_001)


def ask_bytes(hand: Hand, ask: Ask, *, size: int = 1_200, sender: int = 0, **lists: Any) -> bytes:
    """A question as a datagram of exactly this many bytes, unless it is longer anyway."""
    encoded = {kind: [encode_item(item) for item in items] for kind, items in lists.items()}

    def packed(padding: int) -> bytes:
        padded = Ask(ask.nonce, ask.what, ask.cursor, ask.argument, bytes(padding))
        return pack_datagram(hand.hashes.label, 0, sender, encode_item(padded), **encoded)

    spare = size - len(packed(0))
    return packed(max(0, spare - 1)) if spare < 0x101 else packed(spare - 1)


def client(hand: Hand, what: What, argument: bytes = b"", *, seed: int = 1, cluster: str | None = None) -> ToolClient:
    """A tool that asks the node of ``hand``, at an address of this host."""
    return ToolClient(
        what,
        argument,
        destination=Address("127.0.0.1", 7946),
        cluster=hand.config.cluster if cluster is None else cluster,
        now=hand.now,
        random=Random(seed),
    )


def converse(
    hand: Hand,
    asking: ToolClient,
    *,
    source: Address = LOCAL,
    deliver: Callable[[bytes], Sequence[bytes]] = lambda data: [data],
    between: Callable[[], object] = lambda: None,
) -> int:
    """Carry datagrams to and fro until the inquirer is done; returns how many it sent.

    Args:
        source: where the node sees the questions come from.
        deliver: what arrives of a datagram, in either direction: nothing, itself, or other things.
        between: done after each question that was sent.
    """
    sent = 0
    while not asking.done:
        datagram = asking.poll_datagram()
        if datagram is None:
            deadline = asking.poll_deadline()
            assert deadline is not None
            hand.run(max(0.0, deadline - hand.now))
            asking.feed_tick(now=hand.now)
            continue
        sent += 1
        for question in deliver(datagram.payload):
            for answer in hand.feed_bytes(question, source):
                if answer.to == source:
                    assert answer.size <= len(question)
                    for arrived in deliver(answer.payload):
                        asking.feed_datagram(arrived, now=hand.now)
        between()
    assert asking.poll_datagram() is None
    assert asking.poll_deadline() is None
    return sent


def told(hand: Hand, what: What, argument: bytes = b"", *, seed: int = 1, **options: Any) -> list[Body]:
    """The pages of a complete answer."""
    asking = client(hand, what, argument, seed=seed)
    converse(hand, asking, **options)
    assert asking.complete
    return asking.pages


HERE = Address("127.0.0.1", 7946)


TELLER = Teller("ann", b"\x7f\0\0\1\x1f\n", 1_700_000_000_000, 1, 0, Standing.FINE)


LABEL = Hand().hashes.label


def page(nonce: int, next_: int | None = None, body: Any = None, *, label: int = LABEL, flags: int = 0) -> bytes:
    packed = msgspec.msgpack.encode(MembersPage(TELLER, []) if body is None else body)
    return pack_datagram(label, flags, 1, encode_item(Tell(nonce, next_, packed)))
