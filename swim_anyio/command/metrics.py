"""`swim agent --metrics ADDR`: ``/metrics`` for Prometheus and ``/healthz``, served by a thread with a loop of its own.

So no client, however slow or odd, can hold up the node; and if the node's loop hangs, this thread can still say so.
"""

import errno
import logging
import socket
import threading
from http import HTTPStatus
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import SocketAttribute, SocketListener
from anyio.streams.stapled import MultiListener
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder

from swim_core import Address, BindError, State, Statistics
from swim_core.address import is_loopback

from ..crossing import Crossing
from ..node import AsyncNode
from ..prometheus import NodeCollector
from .http import MAX_CONNECTIONS, Page, plain, serve

__all__ = ["MetricsServer"]

log = logging.getLogger("swim_anyio.metrics")


class MetricsServer:
    """Serves the pages of one node during an ``async with`` block. It listens before there is a node.

    Args:
        host: to listen on, as a name or a number.
        port: 0 lets the system choose.
        backend: anyio's name of the server's event loop; preferably that of the node, which is already loaded.

    Attributes:
        address: as bound; inside the block.

    Raises:
        BindError: on entering, if the address can't be bound. Nothing is left open, whatever is raised.
    """

    address: Address

    def __init__(self, host: str, port: int, backend: str) -> None:
        self._host, self._port = host, port
        self._collector: NodeCollector | None = None
        self._registry = CollectorRegistry(auto_describe=True)
        self._failure: BaseException | None = None  # of the start
        self._serving = False
        self._exposed = False
        self._thread = threading.Thread(target=self._run, args=(backend,), name="swim metrics", daemon=True)

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

    def observe(self, node: AsyncNode) -> None:
        """Serve this node from now on. Called in its loop, once."""
        self._exposed = not is_loopback(node.local.address)
        self._collector = NodeCollector(node)
        self._registry.register(self._collector)
        for add in (ProcessCollector, PlatformCollector, GCCollector):
            add(registry=self._registry)

    # In the server's thread

    def _run(self, backend: str) -> None:
        try:
            anyio.run(self._serve, backend=backend)
        except BaseException as error:
            if self._serving:
                log.exception("metrics are no longer served")
            else:
                self._failure = error
        finally:
            self._home.tell(self._started.set)
            self._home.tell(self._ended.set)

    async def _serve(self) -> None:
        listeners = await _listen(self._host, self._port)
        self._inside = Crossing()
        pages = {"/metrics": self._metrics, "/healthz": self._health}
        async with MultiListener(listeners), anyio.create_task_group() as group:
            self._scope = group.cancel_scope
            for listener in listeners:
                group.start_soon(serve, listener, pages)
            self.address = Address(*listeners[0].extra(SocketAttribute.raw_socket).getsockname()[:2])
            self._serving = True
            self._home.tell(self._started.set)

    def _metrics(self, accepted: str) -> Page:
        if self._collector is None:
            return STARTING
        try:
            encode, content_type = choose_encoder(accepted)
        except (ValueError, TypeError):  # asked for a version that is none
            encode, content_type = choose_encoder("")
        return Page(HTTPStatus.OK, content_type, encode(self._registry))

    def _health(self, accepted: str) -> Page:
        if self._collector is None:
            return STARTING
        found = [*self._collector.read().values()]
        trouble = _trouble(found)
        if trouble:
            return plain(HTTPStatus.SERVICE_UNAVAILABLE, trouble)
        remarks = "; ".join(_remarks(found[0], exposed=self._exposed))
        return plain(HTTPStatus.OK, f"ok: {remarks}" if remarks else "ok")


LIVE = (State.ALIVE, State.SUSPECT)
STARTING = plain(HTTPStatus.SERVICE_UNAVAILABLE, "starting: there is no node yet")


def _trouble(found: list[Statistics]) -> str:
    """What keeps the node from working; "" if nothing does."""
    if not found:
        return "down: the node has ended, or its event loop does not answer"
    if found[0].superseded:
        return "superseded: another process owns this node's name, so this node stays silent"
    if found[0].isolated:
        return "isolated: nobody was heard for the stall tolerance"
    if found[0].seen_elsewhere:
        return "elsewhere: others see this node at another address than it advertises, and don't list it (--advertise)"
    return ""


def _remarks(found: Statistics, *, exposed: bool) -> list[str]:
    """What is no failure, and yet should be known; what matters most first."""
    remarks = []
    if exposed and not found.sealed:
        remarks.append("NOT SEALED, so whoever reaches this node can forge membership")
    if _unmet(found):
        remarks.append("alone, none of its seeds has answered")
    return remarks


def _unmet(found: Statistics) -> bool:
    """Whether the node has seeds and is alone. That is no failure, since a cluster starts with one member."""
    return 0 < found.seeds == found.seeds_unanswered and sum(found.members.get(state, 0) for state in LIVE) <= 1


async def _listen(host: str, port: int) -> list[SocketListener]:
    try:
        listener = await anyio.create_tcp_listener(local_host=host, local_port=port, backlog=MAX_CONNECTIONS)
    except UnicodeError as error:
        raise BindError(errno.EINVAL, f"metrics: {host!r} is not a host name") from error
    except socket.gaierror as error:
        raise BindError(error.errno, f"metrics: {host!r} does not resolve: {error.strerror}") from error
    except OSError as error:
        raise BindError(error.errno, f"metrics: {_refusal(Address(host, port), error)}") from error
    return [one for one in listener.listeners if isinstance(one, SocketListener)]


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
