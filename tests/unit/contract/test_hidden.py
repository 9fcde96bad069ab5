"""The search for keys in the output of all tests finds them in each form."""

import logging
import sys
import time
from base64 import b64encode, urlsafe_b64encode
from typing import Any

import pytest

from support.commands import run
from support.hidden import found, given_away
from support.outsider import KEY
from swim_core.keys import Key, Purpose

SECRET = bytes(range(32))
DERIVED = Key(SECRET).derive(Purpose.MEMBERS, "prod")


@pytest.mark.parametrize("secret", [SECRET, DERIVED], ids=["key", "derived"])
@pytest.mark.parametrize(
    "shown",
    [
        bytes.hex,
        str,
        list,
        tuple,
        bytearray,
        lambda secret: secret.hex(" "),
        lambda secret: f"0x{secret.hex()}",
        lambda secret: int.from_bytes(secret, "big"),
        lambda secret: secret.decode("latin-1"),
        lambda secret: b64encode(secret).decode(),
        lambda secret: urlsafe_b64encode(secret).decode().rstrip("="),
        lambda secret: b64encode(b"key=" + secret + b";").decode(),
        lambda secret: b64encode(b"[keys" + secret + b"]").decode(),
    ],
)
def test_bytes_are_found_in_any_form(secret: bytes, shown: Any) -> None:
    said = f"some key: {shown(secret)}\n"
    assert given_away(said)
    assert given_away(said.encode())
    assert given_away(b"\xff\x00" + secret)


@pytest.mark.parametrize("text", [Key(bytes(range(50, 82))).reveal(), Key(SECRET).reader_of("prod").reveal()])
def test_texts_of_any_key_are_found(text: str) -> None:
    assert given_away(f"the key {text}") == text
    assert given_away(f"{KEY} a6215e9a swim1_ swim1_... {time.time()}") is None


@pytest.mark.shows_keys
def test_they_are_found_in_what_is_printed_logged_and_answered(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    text = Key(SECRET).reveal()
    print(text)
    capsys.readouterr()
    assert found == [f"captured: {text!r}"]
    run(sys.executable, "-c", f"print({text!r})")
    assert [line.rpartition(": ")[2] for line in found] == [repr(text)] * 3  # an argument, and what came of it
    logging.getLogger(__name__).warning("%s", text)
    assert text in caplog.text
