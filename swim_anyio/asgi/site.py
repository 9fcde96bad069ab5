"""Routes as one application: how each answer is secured against the browser, and what is said where there is none."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["plain", "site"]

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def site(routes: Sequence[Route]) -> Starlette:
    """The application with these routes."""
    paths = " or ".join(route.path for route in routes if "{" not in route.path)

    async def not_found(request: Request, error: Exception) -> Response:
        return plain(404, f"there is no such page; try {paths}")

    async def not_allowed(request: Request, error: Exception) -> Response:
        return PlainTextResponse("only GET and HEAD are allowed\n", 405, {"Allow": "GET, HEAD"})

    async def failed(request: Request, error: Exception) -> Response:
        return plain(500, "this page could not be made")

    handlers = {404: not_found, 405: not_allowed, Exception: failed}
    application = Starlette(routes=list(routes), exception_handlers=handlers, middleware=[Middleware(_Headers)])
    application.router.redirect_slashes = False
    return application


def plain(status: int, text: str) -> Response:
    """A page with one line of text."""
    return PlainTextResponse(f"{text}\n", status)


class _Headers:
    """Adds the headers to every answer; a route may set others of the same name."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
