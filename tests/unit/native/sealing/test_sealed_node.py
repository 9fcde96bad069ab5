"""A node with keys, driven by hand: settings that don't go with keys, arbitrary bytes, and secrets that don't leak."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.inside import parts_of
from swim_core import Address, Config, ConfigError, Key, Keys, Node, Unsealed
from swim_core.native.cluster_clock import ClusterClock
from swim_core.native.sealing.ring import KeyRing
from swim_core.native.sealing.seal import Sealer
from swim_core.native.wire.hashing import Hashes

SECRET = bytes(range(32))
KEY = Key(SECRET)
UNIX_MS = 1_700_000_000_000
FROM = Address("10.0.0.9", 7946)


def node_with(*keys: Key, config: Config | None = None) -> Node:
    return Node(
        "me",
        ("10.0.0.1", 7946),
        config=config or Config.lan(),
        now=0.0,
        entropy=bytes(32),
        unix_ms=UNIX_MS,
        keys=Keys(keys) if keys else None,
    )


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (
            Config.lan(max_broadcast=1_050),
            "max_broadcast (1050) must fit in a sealed datagram: at most max_datagram - 180",
        ),
        (Config.lan(forget_left_after=59), "forget_left_after (59 s) must be at least twice first_contact (60 s)"),
        (Config.lan(forget_after=59), "forget_after (59 s) must be at least twice first_contact (60 s)"),
    ],
)
def test_settings_that_do_not_go_with_keys_are_refused_with_the_bound(config: Config, says: str) -> None:
    node_with(config=config)
    with pytest.raises(ConfigError, match=re.escape(says)):
        node_with(KEY, config=config)


def test_a_readers_key_makes_no_node() -> None:
    with pytest.raises(ConfigError, match="only asks members"):
        node_with(KEY.reader_of(""))


NODE = node_with(KEY)
SEALER = Sealer(KeyRing(Keys([KEY]), ""), ClusterClock(UNIX_MS, 0.0), counter=1, most_runs=8)
OWN = Hashes("", 4).short_id("me", NODE.local.epoch)


def feed(data: bytes) -> int:
    """Feed a datagram; returns how many bytes the node sends in return."""
    NODE.feed_datagram(data, FROM, now=1.0)
    said = 0
    while (datagram := NODE.poll_datagram()) is not None:
        said += len(datagram.payload)
    while NODE.poll_event() is not None:
        pass
    return said


@settings(deadline=None, max_examples=400)
@given(
    st.binary(max_size=200),
    st.sampled_from([0x90, 0x91, 0x94, 0x95, 0x9D, 0x9E, 0x9F, 0xDC, 0xC0]),
    st.integers(0, 9),
    st.booleans(),
)
def test_whatever_a_holder_of_the_key_seals_does_not_raise(body: bytes, head: int, sender: int, bound: bool) -> None:
    data = SEALER.seal(0, sender, bytes((head,)) + body, SEALER.ring.preferred, OWN if bound else 0, 1.0)
    assert feed(data) <= len(data)


@settings(deadline=None, max_examples=400)
@given(st.binary(max_size=120), st.integers(0, 255), st.booleans(), st.booleans())
def test_whatever_others_send_does_not_raise_and_draws_nothing(data: bytes, flags: int, named: bool, own: bool) -> None:
    key = SEALER.ring.preferred.id.to_bytes(4, "big") if named else b""
    assert feed(bytes((1, flags)) + key + (OWN.to_bytes(8, "big") if own else b"") + data) == 0


def test_no_secret_stands_in_what_a_node_shows() -> None:
    node = node_with(KEY)
    node.feed_datagram(bytes(100), FROM, now=0.0)
    node.feed_datagram(b"\x01\x01" + bytes(100), FROM, now=0.0)
    event = node.poll_event()
    assert isinstance(event, Unsealed)
    context = parts_of(node).context
    parts = vars(context) if hasattr(context, "__dict__") else {}
    shown = [repr(event), repr(node.statistics()), repr(node.local), repr(context), repr(node), repr(parts)]
    secrets = [SECRET.hex(), repr(SECRET)[2:-1], KEY.reveal(), KEY.reveal()[6:40]]
    secrets += [ring.tripwires.hex() for ring in context.sealer.ring.ordered]  # type: ignore[union-attr]
    for text in shown:
        assert not [secret for secret in secrets if secret in text]
