"""Shows the pages to those who may ask as tools: the holders of keys or, without keys, everybody on this host."""

import ipaddress
from base64 import b64decode
from collections.abc import Callable, Collection
from contextlib import suppress
from hmac import compare_digest

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from swim_core import Address, KeyInvalid, Keys
from swim_core.address import is_loopback
from swim_threads.key_file import KeyFile

__all__ = ["Access", "passwords_of"]

OPEN = frozenset({"/metrics", "/healthz"})  # these say nothing about members, and monitors hold no keys
HINT = "the password that `swim keys password` prints"

Passwords = Callable[[], Collection[str]]


class Access:
    """Passes requests on to an application if their sender may see it.

    Args:
        app: the application.
        passwords: one of these must be presented (Basic, with any user name, or Bearer); None without keys.
        policy: `Config.answer_tools`: "holders", "loopback", "anyone" or "nobody".
        open_paths: what everybody may see.
        hint: which password is wanted.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        passwords: Passwords | None,
        policy: str = "holders",
        open_paths: frozenset[str] = OPEN,
        hint: str = HINT,
    ) -> None:
        self._app = app
        self._passwords = passwords
        self._policy = policy
        self._open = open_paths
        self._hint = hint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        scope = _without_origin(scope)
        refusal = None if scope["path"] in self._open else self._refusal(scope, Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        here = _from_here(scope)
        if self._policy == "nobody" or (self._policy == "loopback" and not here):
            return _no("this node answers no tools from here (answer_tools)")
        if self._passwords is not None:
            if _presented(headers.get("authorization", ""), self._passwords()):
                return None
            ask = {"WWW-Authenticate": f'Basic realm="swim: any user name, and {self._hint}"'}
            return PlainTextResponse(f"this page needs {self._hint}\n", 401, ask)
        if self._policy == "anyone":
            return None
        if not here:
            return _no(
                "without keys this node shows itself on its own host only, unless it runs with --answer-tools anyone"
            )
        if not _named_here(headers.get("host", "")):
            return _no("ask for this page at localhost or at a numeric address: any other name may be somebody else's")
        return None


def passwords_of(keys: Keys | None, key_file: str | None, label: str) -> Passwords | None:
    """The passwords that go with a node's keys, those in the file as they are now; None if it has no keys."""
    if key_file is None:
        if keys is None:
            return None
        fixed = _passwords(keys, label)
        return lambda: fixed
    file = KeyFile(key_file)
    held: list[str] = []

    def current() -> Collection[str]:
        if file.changed() or not held:
            with suppress(KeyInvalid):  # as the node, which says so, these stay as they were
                held[:] = _passwords(file.read(), label)
        return held

    return current


def _passwords(keys: Keys, label: str) -> list[str]:
    return [key.password(label) for key in keys]


def _presented(authorization: str, passwords: Collection[str]) -> bool:
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            given = b64decode(given).decode().partition(":")[2]
        except ValueError:
            return False
    elif scheme.lower() != "bearer":
        return False
    return any([compare_digest(given.strip().encode(), password.encode()) for password in passwords])  # noqa: C419


def _from_here(scope: Scope) -> bool:
    """Whether the client is on this host."""
    client, server = scope.get("client"), scope.get("server")
    return client is not None and (is_loopback(Address(*client)) or (server is not None and client[0] == server[0]))


def _named_here(host: str) -> bool:
    """Whether a browser asks by a name that nobody else can give to this host, as a guard against DNS rebinding."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name.lower() == "localhost" or not host:
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _without_origin(scope: Scope) -> Scope:
    """The target may be a whole URL, of which servers must take the path (RFC 9112, 3.2.2)."""
    path: str = scope["path"]
    if not path.startswith(("http://", "https://")):
        return scope
    return {**scope, "path": "/" + path.partition("://")[2].partition("/")[2]}


def _no(why: str) -> Response:
    return PlainTextResponse(f"{why}\n", 403)
