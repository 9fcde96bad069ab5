"""As much of HTTP/1.1 as two pages for a monitor need: one request per connection, limited in size and time.

The standard library's servers wake up twice a second to check whether they should stop, wait for a slow client without
limit, and start a thread for each.
"""

import logging
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlsplit

import anyio
from anyio.abc import SocketListener, SocketStream

__all__ = ["MAX_CONNECTIONS", "Page", "Pages", "plain", "serve"]

log = logging.getLogger("swim_anyio.metrics")

MAX_HEAD = 8_192  # bytes of a request, as most servers allow; against floods
MAX_CONNECTIONS = 32  # at once, far more than monitors need; against floods
MOST_UNREAD = 64  # pieces of up to 64 kB that are read after the reply; against floods
PATIENCE = 5.0  # seconds for the whole of an exchange, as fast clients need milliseconds; against slow ones
RETRY = 0.1  # seconds until the next try where no connection could be taken (no descriptors left)

END = re.compile(rb"\r?\n\r?\n")
REQUEST_LINE = re.compile(rb"([A-Z]{1,20}) ([!-~]+) HTTP/1\.[0-9]\r?\n")
ACCEPT = re.compile(rb"^accept:[ \t]*([ -~]*)", re.IGNORECASE | re.MULTILINE)


class Page(NamedTuple):
    """The answer to a request."""

    status: HTTPStatus
    content_type: str
    body: bytes
    headers: tuple[str, ...] = ()


Pages = Mapping[str, Callable[[str], Page]]
"""By path, a function that makes the page, given the types that the client accepts. If it raises, the exception is
logged and the client gets status 500."""


class _Refused(Exception):
    """This page is the only possible answer to the request."""

    def __init__(self, page: Page) -> None:
        super().__init__(page.status)
        self.page = page


def plain(status: HTTPStatus, text: str, *headers: str) -> Page:
    """A page with one line of text."""
    return Page(status, "text/plain; charset=utf-8", f"{text}\n".encode(), headers)


async def serve(listener: SocketListener, pages: Pages) -> None:
    """Answer requests until cancelled. Beyond `MAX_CONNECTIONS` the oldest connection is closed.

    Clients that hold connections and say nothing must not keep a monitor out: it would consider this process dead.
    """
    under_way: dict[anyio.CancelScope, None] = {}
    async with anyio.create_task_group() as connections:
        while True:
            try:
                stream = await listener.accept()
            except OSError:
                await anyio.sleep(RETRY)
                continue
            if len(under_way) >= MAX_CONNECTIONS:
                oldest = next(iter(under_way))
                oldest.cancel()
                del under_way[oldest]
            limits = anyio.CancelScope(deadline=anyio.current_time() + PATIENCE)
            under_way[limits] = None
            connections.start_soon(_converse, stream, pages, limits, under_way)


async def _converse(
    stream: SocketStream, pages: Pages, limits: anyio.CancelScope, under_way: dict[anyio.CancelScope, None]
) -> None:
    try:
        with suppress(anyio.BrokenResourceError, anyio.EndOfStream, OSError), limits:
            await stream.send(await _reply(stream, pages))
            await stream.send_eof()
            for _ in range(MOST_UNREAD):  # closing with something unread would reset the connection, and the reply too
                await stream.receive()
    finally:
        under_way.pop(limits, None)
        await anyio.aclose_forcefully(stream)


async def _reply(stream: SocketStream, pages: Pages) -> bytes:
    try:
        method, path, accepted = _parse(await _head(stream))
        return _encode(_find(method, path, pages)(accepted), with_body=method == "GET")
    except _Refused as refused:
        return _encode(refused.page)
    except (anyio.BrokenResourceError, anyio.EndOfStream, OSError):
        raise
    except Exception:  # a bug ends no server
        log.exception("a page could not be made")
        return _encode(plain(HTTPStatus.INTERNAL_SERVER_ERROR, "this page could not be made"))


async def _head(stream: SocketStream) -> bytes:
    """The request up to its body, which isn't needed here."""
    head = b""
    while not END.search(head):
        if len(head) > MAX_HEAD:
            raise _Refused(plain(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"more than {MAX_HEAD} bytes of headers"))
        head += await stream.receive(MAX_HEAD)
    return head


def _parse(head: bytes) -> tuple[str, str, str]:
    """The method, the path, and the types that the client accepts ("" for any)."""
    line = REQUEST_LINE.match(head)
    if line is None:
        raise _Refused(plain(HTTPStatus.BAD_REQUEST, "this is not an HTTP/1 request"))
    accept = ACCEPT.search(head)
    try:
        path = urlsplit(line[2].decode("ascii")).path
    except ValueError:
        raise _Refused(plain(HTTPStatus.BAD_REQUEST, "the target is not a URL")) from None
    return line[1].decode("ascii"), path, accept[1].decode("ascii") if accept else ""


def _find(method: str, path: str, pages: Pages) -> Callable[[str], Page]:
    if path not in pages:
        raise _Refused(plain(HTTPStatus.NOT_FOUND, f"there is no such page; try {' or '.join(pages)}"))
    if method not in ("GET", "HEAD"):
        raise _Refused(plain(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD are allowed", "Allow: GET, HEAD"))
    return pages[path]


def _encode(page: Page, *, with_body: bool = True) -> bytes:
    lines = [
        f"HTTP/1.1 {page.status.value} {page.status.phrase}",
        f"Content-Type: {page.content_type}",
        f"Content-Length: {len(page.body)}",
        "Cache-Control: no-store",
        "Connection: close",
        *page.headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + (page.body if with_body else b"")
