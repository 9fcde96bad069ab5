"""Greetings on tripwires: with keys each side proves that it holds one, which no recording or reflection can."""

from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim_core import Key, Keys, Tripwire, TripwirePlan
from swim_core.handshake import Incoming, Outgoing
from swim_core.native.cluster_clock import ClusterClock
from swim_core.native.sealing.ring import KeyRing
from swim_core.native.sealing.seal import Sealer
from swim_core.native.sealing.tripwire_seal import KeysForTripwires
from swim_core.tripwire import greeting_of

LABEL, A, B = 7, 11, 22
OLD, NEW = Key(bytes(range(32))), Key(bytes(range(50, 82)))
RANDOM_A, RANDOM_B = bytes(range(16)), bytes(range(16, 32))


def plan_of(run: int, *keys: Key, label: str = "prod", accept: bool = False) -> TripwirePlan:
    if not keys:
        return TripwirePlan(greeting_of(LABEL, run), ())
    sealer = Sealer(KeyRing(Keys(keys), label), ClusterClock(0, 0.0), counter=1, most_runs=8, plain=accept)
    return TripwirePlan(greeting_of(LABEL, run), (), KeysForTripwires(sealer))


def outgoing(*keys: Key, accept: bool = False, random: bytes = RANDOM_A, to: int = B) -> Outgoing:
    return Outgoing(plan_of(A, *keys, accept=accept), Tripwire(("10.0.0.2", 1), greeting_of(LABEL, to)), random)  # type: ignore[arg-type]


def feed(incoming: Incoming, data: bytes) -> bytes:
    """Data as from a socket: up to as much as is wanted at a time."""
    said = b""
    while data and not incoming.done:
        wanted = incoming.wanted
        said += incoming.take(data[:wanted])
        data = data[wanted:]
    return said


def meet(out: Outgoing, incoming: Incoming) -> bool:
    """Whether each accepts the other as a member."""
    answer = out.take(feed(incoming, out.opening))
    assert answer is not None
    feed(incoming, answer)
    return incoming.done


def test_two_that_hold_the_key_greet_each_other_in_33_and_49_and_16_bytes() -> None:
    out, incoming = outgoing(OLD), Incoming(plan_of(B, OLD), RANDOM_B)
    said = feed(incoming, out.opening)
    assert not incoming.done
    answer = out.take(said)
    assert answer is not None
    assert (len(out.opening), len(said), len(answer)) == (33, 49, 16)
    feed(incoming, answer)
    assert incoming.done


def test_the_bytes_are_what_the_format_says() -> None:
    base = blake2b(b"\x03prod", digest_size=32, key=bytes(range(32)), person=b"swim seal 1").digest()
    out, incoming = outgoing(OLD), Incoming(plan_of(B, OLD), RANDOM_B)
    said = feed(incoming, out.opening)
    hellos = b"SWIM\x02\xa6\x21\x5e\x9a" + A.to_bytes(8, "big") + RANDOM_A
    assert out.opening == hellos
    hellos += b"SWIM\x02\xa6\x21\x5e\x9a" + B.to_bytes(8, "big") + RANDOM_B
    assert said == hellos[33:] + blake2b(hellos, digest_size=16, key=base, person=b"swim trip B").digest()
    assert out.take(said) == blake2b(hellos, digest_size=16, key=base, person=b"swim trip A").digest()


@pytest.mark.parametrize(
    ("ours", "theirs", "meets"),
    [
        ((OLD,), (NEW, OLD), True),
        ((NEW, OLD), (OLD, NEW), True),
        ((OLD,), (NEW,), False),
        ((OLD,), (), False),
        ((), (OLD,), False),
        ((), (), True),
    ],
)
def test_who_shares_no_key_does_not_meet(ours: tuple[Key, ...], theirs: tuple[Key, ...], meets: bool) -> None:
    try:
        assert meet(outgoing(*ours), Incoming(plan_of(B, *theirs), RANDOM_B)) is meets
    except ValueError:
        assert not meets


def test_while_plain_is_accepted_both_kinds_of_greeting_are() -> None:
    assert meet(outgoing(), Incoming(plan_of(B, OLD, accept=True), RANDOM_B))
    assert meet(outgoing(OLD), Incoming(plan_of(B, OLD, accept=True), RANDOM_B))
    assert meet(outgoing(OLD, accept=True), Incoming(plan_of(B), RANDOM_B))


def test_another_run_is_none() -> None:
    with pytest.raises(ValueError, match="another run"):
        meet(outgoing(OLD, to=33), Incoming(plan_of(B, OLD), RANDOM_B))


def test_its_own_hello_sent_back_proves_nothing() -> None:
    out = outgoing(OLD)
    with pytest.raises(ValueError, match="another run"):
        out.take(out.opening + bytes(16))


def test_what_was_recorded_proves_nothing() -> None:
    out, incoming = outgoing(OLD), Incoming(plan_of(B, OLD), RANDOM_B)
    said = feed(incoming, out.opening)
    answer = out.take(said)
    assert answer is not None
    with pytest.raises(ValueError, match="does not hold the key"):
        outgoing(OLD, random=bytes(16)).take(said)
    other = Incoming(plan_of(B, OLD), bytes(16))
    feed(other, out.opening)
    with pytest.raises(ValueError, match="does not hold the key"):
        feed(other, answer)
    assert not other.done


@given(st.integers(0, 8 * 49 - 1))
def test_no_bit_of_the_answer_can_be_changed(bit: int) -> None:
    out = outgoing(OLD)
    said = bytearray(feed(Incoming(plan_of(B, OLD), RANDOM_B), out.opening))
    said[bit >> 3] ^= 1 << (bit & 7)
    with pytest.raises(ValueError, match=r"another run|key"):
        out.take(bytes(said))


@given(st.binary(min_size=1, max_size=80), st.booleans())
def test_a_stranger_is_answered_only_to_a_hello_that_names_a_key(data: bytes, begins: bool) -> None:
    incoming = Incoming(plan_of(B, OLD), RANDOM_B)
    try:
        said = feed(incoming, (b"SWIM\x02" if begins else b"") + data)
    except ValueError:
        said = b""
    assert said == b""
    assert not incoming.done
