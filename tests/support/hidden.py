"""Keys stand in nothing that is put out: looks through all that tests, and the processes that they start, write.

`watch` begins: what tests read with `capsys` and `capfd`, what programs are given as arguments, and what they answer is
searched for texts of any key, and for the keys of the tests in every form in which bytes get into text. conftest adds
what pytest has captured of a test, and fails it.
"""

import re
import subprocess
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Iterator
from functools import wraps
from typing import Any

import pytest

from support.outsider import KEY, OTHER_KEY
from swim_core.keys import SECRET_SIZE, Purpose

__all__ = ["found", "given_away", "look_through", "watch"]

LABELS = ("", "prod")
TEXT = re.compile(r"swim[rp]?1_[A-Za-z0-9_-]{30,}")
found: list[str] = []
"""What leaked since it was last cleared, and where."""


def _forms(secret: bytes) -> Iterator[str]:
    yield secret.hex()
    yield secret.hex(" ")
    yield repr(secret)[2:-1]
    yield ", ".join(map(str, secret))
    yield secret.decode("latin-1")
    for order in ("big", "little"):
        yield str(int.from_bytes(secret, order))
    for before in range(3):  # even within something longer
        text = b64encode(bytes(before) + secret).decode()[4 * (before > 0) : 42]
        yield from (text, text.replace("+", "-").replace("/", "_"))


def _secrets() -> Iterator[bytes]:
    for key in (*KEY, *OTHER_KEY):
        yield urlsafe_b64decode(key.reveal().partition("_")[2])[:SECRET_SIZE]
        yield from (key.derive(purpose, label) for purpose in Purpose for label in LABELS)


FORMS = frozenset(form for secret in _secrets() for form in _forms(secret))


def given_away(said: str | bytes | None) -> str | None:
    """A key's text, or another form of a key, in this output."""
    if not said:
        return None
    texts = [said] if isinstance(said, str) else [said.decode(errors="replace"), said.decode("latin-1")]
    for text in texts:
        if (match := TEXT.search(text)) is not None:
            return match[0]
        if (form := next((form for form in FORMS if form in text), None)) is not None:
            return form
    return None


def look_through(where: str, *said: Any) -> None:
    """Note what leaks there."""
    for one in said:
        if isinstance(one, str | bytes) and (secret := given_away(one)) is not None:
            found.append(f"{where}: {secret!r}")


def watch() -> None:
    """From now on look through the output of tests, and through the arguments and answers of processes."""
    read, begin, talk = pytest.CaptureFixture.readouterr, subprocess.Popen.__init__, subprocess.Popen.communicate

    @wraps(read)
    def readouterr(self: Any) -> Any:
        captured = read(self)
        look_through("captured", captured.out, captured.err)
        return captured

    @wraps(begin)
    def popen(self: Any, args: Any, *others: Any, **options: Any) -> None:
        look_through("arguments", *(map(str, args) if isinstance(args, list | tuple) else [args]))
        begin(self, args, *others, **options)

    @wraps(talk)
    def communicate(self: Any, *others: Any, **options: Any) -> Any:
        answer = talk(self, *others, **options)
        look_through(f"{self.args!r} said", *answer)
        return answer

    pytest.CaptureFixture.readouterr = readouterr  # type: ignore[method-assign]
    subprocess.Popen.__init__ = popen  # type: ignore[method-assign]
    subprocess.Popen.communicate = communicate  # type: ignore[method-assign]
