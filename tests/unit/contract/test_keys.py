"""Keys: their texts, what is derived from them, and that no secret gets out."""

import copy
import json
import pickle
import traceback
from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim_core import ConfigError, KeyInvalid
from swim_core.keys import MAX_KEYS, Key, Keys, Purpose
from swim_core.native.sealing.ring import KeyRing, key_id

SECRET = bytes(range(32))
TEXT = "swim1_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh_s9zlK"
OTHER = bytes(range(100, 132))
secrets = st.binary(min_size=32, max_size=32).filter(lambda data: len(set(data)) >= 8)


def keys_of(count: int) -> list[Key]:
    return [Key(bytes(range(number, number + 32))) for number in range(count)]


@pytest.mark.parametrize(
    ("purpose", "base"),
    [
        (Purpose.MEMBERS, "a9ddfac55a0a6995b04314d3fe75fa2f8808fb846e42c20ca2ab71d98cee2eb8"),
        (Purpose.READERS, "06a18229f9a0d5e46367015591fc3c4e8c893ffa7d69ba70ce758d05c2dafabd"),
        (Purpose.TRIPWIRES, "60e389cb62dc5be8fd26c6dec62a3a7d99de9178d2e8d4b5d1f7874bd0328a0d"),
    ],
)
def test_what_is_derived_is_what_the_format_says(purpose: Purpose, base: str) -> None:
    assert Key(SECRET).derive(purpose, "prod").hex() == base


def test_texts_and_ids_are_what_the_format_says() -> None:
    key = Key.parse(TEXT)
    assert key == Key(SECRET)
    assert key.reveal() == TEXT
    assert key_id(key, "prod") == 0xA6215E9A
    assert key_id(key.reader_of("prod"), "prod") == 0x58013E5B
    assert repr(KeyRing(Keys([key]), "prod")) == "<KeyRing a6215e9a>"


@given(secrets, st.booleans())
def test_a_text_says_its_key(secret: bytes, reader: bool) -> None:
    key = Key(secret, reader=reader)
    text = key.reveal()
    assert len(text) == 54 + reader
    assert Key.parse(f"  {text}\n") == key


@given(secrets)
def test_base64_of_32_bytes_is_a_key_too(secret: bytes) -> None:
    for encoded in (b64encode(secret), urlsafe_b64encode(secret)):
        assert Key.parse(encoded.decode()) == Key.parse(encoded.decode().rstrip("=")) == Key(secret)


@given(secrets, st.integers(6, 53), st.sampled_from("AZaz09-_"))
def test_one_character_that_is_mistyped_is_found(secret: bytes, at: int, character: str) -> None:
    text = Key(secret).reveal()
    wrong = text[:at] + character + text[at + 1 :]
    if wrong != text:
        with pytest.raises(KeyInvalid, match="mistyped"):
            Key.parse(wrong)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TEXT[:-1], "53 characters, a key has 54; was it cut?"),
        (TEXT + "A", "55 characters, a key has 54"),
        ("swim2_" + TEXT[6:], "no key; one begins with swim1_"),
        ("correct horse battery", "21 characters that are no key"),
        (TEXT[:20] + "!" + TEXT[21:], "characters that no key has"),
        (TEXT[:20] + "é" + TEXT[21:], "characters that no key has"),
        ("A" * 43, "32 random bytes, and these are not"),
    ],
)
def test_what_is_no_key_is_refused_and_not_repeated(text: str, says: str) -> None:
    with pytest.raises(KeyInvalid, match=r"line 2 of swim\.key") as caught:
        Keys.parse(f"# a comment\n{text}\n", "swim.key")
    assert says in str(caught.value)
    assert isinstance(caught.value, ConfigError)
    shown = "".join(traceback.format_exception(caught.value))
    assert text not in shown
    assert text[6:26] not in shown


def test_a_file_of_keys_has_one_a_line_and_comments() -> None:
    first, second = keys_of(2)
    text = f"\n# new since May\n{first.reveal()}  # ann\n\n  {second.reveal()}\r\n"
    assert list(Keys.parse(text)) == [first, second]
    assert list(Keys.parse(f"{first.reveal()},{second.reveal()}")) == [first, second]
    assert Keys.of(first.reveal()) == Keys.of([first]) == Keys.of(Keys([first])) == Keys([first])


@pytest.mark.parametrize("text", ["", "\n", "# swim1_\n", ",,"])
def test_a_file_without_a_key_is_refused(text: str) -> None:
    with pytest.raises(KeyInvalid, match=r"swim\.key: no key in it; `swim keygen FILE` makes one"):
        Keys.parse(text, "swim.key")


def test_too_many_keys_and_the_same_twice_are_refused() -> None:
    keys = keys_of(MAX_KEYS + 1)
    assert len(Keys(keys[:MAX_KEYS])) == MAX_KEYS
    with pytest.raises(KeyInvalid, match="9 keys: a node holds 1 to 8"):
        Keys(keys)
    with pytest.raises(KeyInvalid, match="key 2 of 2 is the same"):
        Keys([keys[0], Key(bytes(range(32)))])
    with pytest.raises(KeyInvalid, match="0 keys"):
        Keys([])
    with pytest.raises(KeyInvalid, match="keys are texts"):
        Keys.of([b"bytes"])  # type: ignore[list-item]


def test_a_readers_key_is_derived_and_makes_no_member() -> None:
    reader = Key(SECRET).reader_of("prod")
    assert Key.parse(reader.reveal()) == reader
    assert reader.derive(Purpose.READERS, "prod") == Key(SECRET).derive(Purpose.READERS, "prod")
    with pytest.raises(KeyInvalid, match="only asks members"):
        KeyRing(Keys([reader]), "prod")


def test_another_label_makes_other_keys() -> None:
    assert KeyRing(Keys([Key(SECRET)]), "prod").by_id.keys().isdisjoint(KeyRing(Keys([Key(SECRET)]), "").by_id)


def test_keys_whose_ids_end_alike_are_refused() -> None:
    ends: dict[int, Key] = {}
    for number in range(10_000):
        key = Key(number.to_bytes(4, "big") + SECRET[4:])
        other = ends.setdefault(key_id(key, "") & 0xFFFF, key)
        if other is not key:
            with pytest.raises(KeyInvalid, match="end alike"):
                KeyRing(Keys([key, other]), "")
            return
    raise AssertionError("10,000 keys without two that end alike")


@pytest.mark.parametrize("thing", [Key(SECRET), Keys([Key(SECRET)]), KeyRing(Keys([Key(SECRET)]), "prod")])
def test_no_secret_gets_out(thing: object) -> None:
    key = Key(SECRET)
    hidden = [TEXT, TEXT[6:], SECRET.hex(), str(SECRET), *(key.derive(purpose, "prod").hex() for purpose in Purpose)]
    for shown in (repr(thing), str(thing), f"{thing}", repr([thing]), repr({"a": thing})):
        assert not any(secret in shown for secret in hidden)
    for refuse in (pickle.dumps, json.dumps):
        with pytest.raises(TypeError) as caught:
            refuse(thing)
        assert not any(secret in str(caught.value) for secret in hidden)
    for copied in (copy.copy, copy.deepcopy):
        if not isinstance(thing, KeyRing):
            with pytest.raises(TypeError):
                copied(thing)
