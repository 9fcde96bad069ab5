"""Serves an ASGI application: hypercorn reads and writes HTTP, and this module limits the connections.

hypercorn's own loops take connections without limit, and wait without limit for clients that don't read. Clients that
hold connections and say nothing must not keep a monitor out, or it would consider this process dead.
"""

import logging
import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, cast

import anyio
from hypercorn.config import Config
from hypercorn.typing import ConnectionState
from hypercorn.utils import wrap_app
from starlette.types import ASGIApp

__all__ = ["MAX_CONNECTIONS", "serve"]

log = logging.getLogger("swim_anyio.metrics")

MAX_CONNECTIONS = 64  # at once: a browser holds six, and monitors one each; against floods
MAX_HEAD = 8_192  # bytes of a request, as most servers allow; against floods
MAX_REQUESTS = 1_000  # of one connection, after which it is closed; against floods
PATIENCE = 5.0  # seconds for a request to arrive, and between two; against slow clients
UNREAD = 5.0  # seconds for which a client may leave unread what it was sent (Linux counts them); against those, too
RETRY = 0.1  # seconds until the next try where no connection could be taken (no descriptors left)


async def serve(app: ASGIApp, listeners: Sequence[socket.socket], backend: str) -> None:
    """Answer requests until cancelled. Beyond `MAX_CONNECTIONS` the oldest connection is closed.

    Args:
        app: needs no lifespan.
        listeners: which listen, and don't block; they stay open.
        backend: of this event loop, in anyio's words.
    """
    talk = partial(_TALKS[backend], wrap_app(cast(Any, app), 0, "asgi"), _config())
    connections: dict[socket.socket, None] = {}
    async with anyio.create_task_group() as tasks:

        async def take(listener: socket.socket) -> None:
            while True:
                await anyio.wait_readable(listener)
                try:
                    connection, _ = listener.accept()
                except BlockingIOError:  # it has gone again
                    continue
                except OSError:
                    await anyio.sleep(RETRY)
                    continue
                connection.setblocking(False)
                _limit(connection)
                if len(connections) >= MAX_CONNECTIONS:
                    _break(next(iter(connections)), connections)
                connections[connection] = None
                tasks.start_soon(converse, connection)

        async def converse(connection: socket.socket) -> None:
            try:
                await talk(connection)
            except OSError:  # it has gone again
                pass
            except Exception:  # a bug ends no server
                log.exception("a connection failed")
            finally:
                connections.pop(connection, None)
                connection.close()

        for listener in listeners:
            tasks.start_soon(take, listener)


def _config() -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = log
    config.h11_max_incomplete_size = MAX_HEAD
    config.h2_max_header_list_size = MAX_HEAD
    config.h2_max_concurrent_streams = 8
    config.keep_alive_timeout = PATIENCE
    config.keep_alive_max_requests = MAX_REQUESTS
    config.include_server_header = False
    config.websocket_max_message_size = MAX_HEAD
    return config


def _limit(connection: socket.socket) -> None:
    """Have the kernel give up a client that doesn't read what it asked for."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        with suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNREAD * 1e3))


def _break(connection: socket.socket, connections: dict[socket.socket, None]) -> None:
    """End a connection at once: its task sees that both directions are closed, whatever it waits for."""
    del connections[connection]
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


async def _talk_under_asyncio(app: Any, config: Config, connection: socket.socket) -> None:
    import asyncio

    from hypercorn.asyncio.tcp_server import TCPServer
    from hypercorn.asyncio.worker_context import WorkerContext

    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection(sock=connection)
    await TCPServer(app, loop, config, WorkerContext(None), ConnectionState({}), reader, writer)


async def _talk_under_trio(app: Any, config: Config, connection: socket.socket) -> None:
    import trio
    from hypercorn.trio.tcp_server import TCPServer
    from hypercorn.trio.worker_context import WorkerContext

    stream: Any = trio.SocketStream(trio.socket.from_stdlib_socket(connection))
    await TCPServer(app, config, WorkerContext(None), ConnectionState({}), stream)


_TALKS = {"asyncio": _talk_under_asyncio, "trio": _talk_under_trio}
