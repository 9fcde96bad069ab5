"""An HTTP server in a thread with an event loop of its own.

So no client, however slow or odd, can hold up a node; and if the node's loop hangs, this thread can still say so.
"""

import errno
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self

import anyio
from starlette.types import ASGIApp

from swim_anyio.crossing import Crossing
from swim_core import Address, BindError

from .connections import MAX_CONNECTIONS, serve

__all__ = ["WebServer", "listening"]

log = logging.getLogger("swim_anyio.metrics")


class WebServer:
    """Serves an application during an ``async with`` block.

    Args:
        app: the application.
        host: to listen on, as a name or a number.
        port: 0 lets the system choose.
        backend: anyio's name of the server's event loop; preferably that of the node, which is already loaded.
        option: what the address was given as, for errors.

    Attributes:
        address: as bound; inside the block.

    Raises:
        BindError: on entering, if the address can't be bound. Nothing is left open, whatever is raised.
    """

    address: Address

    def __init__(self, app: ASGIApp, host: str, port: int, backend: str, *, option: str = "http") -> None:
        self._app = app
        self._host, self._port, self._backend, self._option = host, port, backend, option
        self._failure: BaseException | None = None  # of the start
        self._serving = False
        self._thread = threading.Thread(target=self._run, name="swim http", daemon=True)

    async def __aenter__(self) -> Self:
        self._home = Crossing()
        self._started, self._ended = anyio.Event(), anyio.Event()
        self._thread.start()
        await self._started.wait()  # a cancellation ends the process: the thread is a daemon
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):  # the loop stays free to answer a scrape that is under way
            self._inside.tell(self._scope.cancel)
            await self._ended.wait()
        self._thread.join()

    # In the server's thread

    def _run(self) -> None:
        try:
            with listening(self._host, self._port, self._option) as listeners:
                self.address = Address(*listeners[0].getsockname()[:2])
                anyio.run(self._serve, listeners, backend=self._backend)
        except BaseException as error:
            if self._serving:
                log.exception("pages are no longer served")
            else:
                self._failure = error
        finally:
            self._home.tell(self._started.set)
            self._home.tell(self._ended.set)

    async def _serve(self, listeners: list[socket.socket]) -> None:
        self._inside = Crossing()
        with anyio.CancelScope() as self._scope:
            self._serving = True
            self._home.tell(self._started.set)
            await serve(self._app, listeners, self._backend)


@contextmanager
def listening(host: str, port: int, option: str) -> Iterator[list[socket.socket]]:
    """Sockets that listen at every address that the host name has.

    Raises:
        BindError: if one of them can't be bound.
    """
    with ExitStack() as opened:
        sockets: list[socket.socket] = []
        for family, address in _resolved(host, port, option):
            one = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
            one.setblocking(False)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if sockets and port == 0:  # the same one for all
                address = (address[0], sockets[0].getsockname()[1], *address[2:])
            try:
                one.bind(address)
                one.listen(MAX_CONNECTIONS)
            except OSError as error:
                raise BindError(error.errno, f"{option}: {_refusal(Address(host, port), error)}") from error
            sockets.append(one)
        yield sockets


def _resolved(host: str, port: int, option: str) -> list[tuple[int, Any]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except UnicodeError as error:
        raise BindError(errno.EINVAL, f"{option}: {host!r} is not a host name") from error
    except socket.gaierror as error:
        raise BindError(error.errno, f"{option}: {host!r} does not resolve: {error.strerror}") from error
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def _refusal(address: Address, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"{address} is in use: choose another port, or port 0 to let the system choose a free one"
        case errno.EADDRNOTAVAIL:
            return f"{address} is not an address of this host"
        case errno.EACCES | errno.EPERM:
            return f"binding {address} is not permitted: ports below 1024 often need privileges"
        case _:
            return f"{address} can't be bound: {error.strerror or error}"
