"""The pages of an agent, whose server listens before there is a node."""

from starlette.requests import HTTPConnection

from swim_anyio.asgi.monitoring import Monitored, monitoring_routes
from swim_anyio.asgi.node_source import NodeSource
from swim_anyio.asgi.pages import page_routes
from swim_anyio.asgi.site import site
from swim_anyio.node import AsyncNode
from swim_core import Keys

from .access import Access, passwords_of
from .server import WebServer

__all__ = ["AgentPages"]


class AgentPages(WebServer):
    """Serves the pages of one node during an ``async with`` block. Until `observe` is called, they say that it is
    starting.

    Args:
        host: to listen on, as a name or a number.
        port: 0 lets the system choose.
        backend: anyio's name of the server's event loop.
        keys: of the node.
        key_file: of the node, in place of ``keys``.
        label: of the cluster.
        policy: `Config.answer_tools`.

    Raises:
        BindError: on entering, if the address can't be bound.
    """

    def __init__(
        self,
        host: str,
        port: int,
        backend: str,
        *,
        keys: Keys | None = None,
        key_file: str | None = None,
        label: str = "",
        policy: str = "holders",
    ) -> None:
        self._shown: Monitored | None = None
        routes = [*page_routes(self._source), *monitoring_routes(self._find)]
        app = Access(site(routes), passwords=passwords_of(keys, key_file, label), policy=policy)
        super().__init__(app, host, port, backend)

    def observe(self, node: AsyncNode) -> None:
        """Show this node from now on. Called in its loop, once."""
        self._shown = Monitored(node)

    def _find(self, _: HTTPConnection) -> Monitored | None:
        return self._shown

    def _source(self, _: HTTPConnection) -> NodeSource | None:
        return None if self._shown is None else self._shown.source
