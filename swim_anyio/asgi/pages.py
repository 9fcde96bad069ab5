"""The page for people, and what it shows as JSON and as server-sent events."""

from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.resources import files
from typing import TypeAlias

import anyio
import msgspec
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from swim_core import SwimError

from .site import plain
from .source import Record, Source, UnknownName

__all__ = ["MAX_STREAMS", "page_routes"]

MAX_STREAMS = 16  # streams of events at once, more than people look at; each looks at the node four times a second
HEARTBEAT = 15.0  # seconds of silence after which a stream says something, so that proxies keep it open
RETRY = 2_000  # ms after which a browser that lost a stream asks again
STARTING = "starting: there is no node yet"
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}

Find: TypeAlias = Callable[[HTTPConnection], Source | None]

_encode = msgspec.json.Encoder().encode


def page_routes(find: Find) -> list[Route]:
    """The routes; ``find`` gives the source of what they show, None if there is none yet."""
    streams: set[object] = set()

    def answering(ask: Callable[[Source, Request], Awaitable[Record]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            source = find(request)
            if source is None:
                return plain(503, STARTING)
            try:
                return Response(_encode(await ask(source, request)), media_type="application/json")
            except UnknownName as error:
                return plain(404, str(error.args[0]))
            except SwimError as error:
                return plain(503, str(error))

        return answer

    async def events(request: Request) -> Response:
        source = find(request)
        if source is None:
            return plain(503, STARTING)
        if len(streams) >= MAX_STREAMS:
            return plain(503, f"{MAX_STREAMS} others follow the events already")
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        after = request.headers.get("last-event-id", "")
        return StreamingResponse(_stream(source, after, streams), media_type="text/event-stream")

    return [
        *(Route(f"/{'' if name == 'index.html' else name}", _asset(name)) for name in _assets()),
        Route("/members", answering(lambda source, _: source.members())),
        Route("/why/{name:path}", answering(lambda source, request: source.why(request.path_params["name"]))),
        Route("/info", answering(lambda source, _: source.info())),
        Route("/rings", answering(lambda source, _: source.rings())),
        Route("/events", events),
    ]


async def _stream(source: Source, after: str, streams: set[object]) -> AsyncIterator[bytes]:
    """Server-sent events; see https://html.spec.whatwg.org/multipage/server-sent-events.html"""
    streams.add(this := object())
    try:
        yield b"retry: %d\n\n" % RETRY
        said = anyio.current_time()
        async for told in source.events(after):
            if told:
                yield b"".join(b"id: %b\ndata: %b\n\n" % (at.encode(), _encode(record)) for at, record in told)
            elif anyio.current_time() < said + HEARTBEAT:
                continue
            else:
                yield b": still here\n\n"
            said = anyio.current_time()
    except SwimError:  # the node has ended: the browser asks again, and is told why there is nothing
        return
    finally:
        streams.discard(this)


def _assets() -> list[str]:
    return sorted(file.name for file in (files(__package__) / "static").iterdir())


def _asset(name: str) -> Callable[[Request], Awaitable[Response]]:
    body = (files(__package__) / "static" / name).read_bytes()
    media_type = TYPES[name.rpartition(".")[2]]

    async def asset(request: Request) -> Response:
        return Response(body, media_type=media_type)

    return asset
