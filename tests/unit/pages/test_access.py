"""An agent's pages are shown, as tools show theirs, to holders of a key, and without keys only on its own host."""

from base64 import b64encode
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from starlette.responses import PlainTextResponse

from swim_anyio.command.web.access import Access, passwords_of
from swim_core import Key, Keys

ONE, OTHER = (Key(bytes(range(start, start + 32))) for start in (0, 7))
HERE, ELSEWHERE = "127.0.0.1", "10.0.0.9"


def ask(app: Any, path: str = "/members", client: str = HERE, **headers: str) -> httpx.Response:
    async def main() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, client=(client, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9464") as http:
            return await http.get(path, headers=headers)

    return anyio.run(main)


def guarded(keys: Keys | None = None, policy: str = "holders", key_file: str | None = None) -> Access:
    return Access(PlainTextResponse("shown"), passwords=passwords_of(keys, key_file, "prod"), policy=policy)


def basic(password: str, user: str = "") -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def test_without_keys_only_this_host_sees_it() -> None:
    assert ask(guarded()).text == "shown"
    assert ask(guarded(), client="::1").text == "shown"
    refused = ask(guarded(), client=ELSEWHERE)
    assert refused.status_code == 403
    assert "--answer-tools anyone" in refused.text
    assert ask(guarded(policy="anyone"), client=ELSEWHERE).text == "shown"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:9464", 200),
        ("127.0.0.1:9464", 200),
        ("[::1]:9464", 200),
        ("[::1]", 200),
        ("rebound.example:9464", 403),
        ("rebound.example", 403),
        ("127.0.0.1.rebound.example", 403),
    ],
)
def test_a_name_that_was_made_to_point_here_is_refused(host: str, status: int) -> None:
    assert ask(guarded(), Host=host).status_code == status


def test_with_keys_everybody_needs_the_password() -> None:
    app = guarded(Keys([ONE, OTHER]))
    for client in (HERE, ELSEWHERE):
        asked = ask(app, client=client)
        assert asked.status_code == 401
        assert asked.headers["www-authenticate"].startswith("Basic ")
        for key in (ONE, OTHER):  # as in a rotation
            assert ask(app, client=client, Authorization=basic(key.password("prod"))).text == "shown"
            assert ask(app, client=client, Authorization=f"Bearer {key.password('prod')}").text == "shown"


@pytest.mark.parametrize(
    "given",
    [
        basic(ONE.password("test")),  # of another cluster
        basic(ONE.reveal()),
        basic(""),
        "Basic ???",
        "Basic " + b64encode(b"\xff:\xff").decode(),
        "Bearer ",
        "Digest x",
        ONE.password("prod"),
    ],
)
def test_what_is_no_password(given: str) -> None:
    assert ask(guarded(Keys([ONE])), Authorization=given).status_code == 401


def test_the_reader_has_the_same_password_and_it_opens_nothing_else() -> None:
    password = ONE.password("prod")
    assert ONE.reader_of("prod").password("any") == password
    assert password != OTHER.password("prod")
    assert len(password) == 39


def test_what_is_said_of_tools_holds_for_pages() -> None:
    password = basic(ONE.password("prod"))
    assert ask(guarded(Keys([ONE]), "nobody"), Authorization=password).status_code == 403
    assert ask(guarded(policy="nobody")).status_code == 403
    local = guarded(Keys([ONE]), "loopback")
    assert ask(local, Authorization=password).text == "shown"
    assert ask(local, client=ELSEWHERE, Authorization=password).status_code == 403


def test_monitors_need_no_password() -> None:
    for path in ("/metrics", "/healthz"):
        assert ask(guarded(Keys([ONE]), "nobody"), path, client=ELSEWHERE).text == "shown"


def test_the_passwords_follow_the_key_file(tmp_path: Path) -> None:
    file = tmp_path / "swim.key"
    write(file, ONE)
    app = guarded(key_file=str(file))
    first, second = (basic(key.password("prod")) for key in (ONE, OTHER))
    assert ask(app, Authorization=first).text == "shown"
    assert ask(app, Authorization=second).status_code == 401
    write(file, OTHER, ONE)
    assert ask(app, Authorization=second).text == "shown"
    write(file, OTHER)
    assert ask(app, Authorization=first).status_code == 401
    file.write_text("nonsense")  # as the node, it keeps what it has
    assert ask(app, Authorization=second).text == "shown"


def write(file: Path, *keys: Key) -> None:
    replacement = file.with_suffix(".new")
    replacement.write_text("\n".join(key.reveal() for key in keys))
    replacement.chmod(0o600)
    replacement.replace(file)
