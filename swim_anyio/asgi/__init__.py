"""A node's pages as one ASGI application (the ``http`` extra): what it sees, for people, programs and monitors.

    app = FastAPI(lifespan=lifespan(name="shop"))
    app.mount("/swim", swim_anyio.asgi.app())

Under that prefix: ``/`` for people; ``/members``, ``/why/NAME``, ``/info`` and ``/rings`` as JSON, with the keys of the
commands of the same names; ``/events`` as server-sent events; ``/metrics`` for Prometheus and ``/healthz`` for load
balancers. All of it is read-only. The program that mounts it decides who may see it.
"""

from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from swim_anyio.node import AsyncNode

from .monitoring import Monitored, monitoring_routes
from .node_source import NodeSource
from .pages import page_routes
from .site import site

__all__ = ["app"]

KEY = "swim_node"  # where `swim_anyio.contrib.starlette.lifespan` puts the node


def app(node: AsyncNode | None = None) -> Starlette:
    """The pages of a node, for its own event loop or any other one.

    Args:
        node: called in its loop. Without one, the pages are those of the node that
            `swim_anyio.contrib.starlette.lifespan` opened for the application that mounts them; without that either,
            each answers 503.
    """
    fixed = None if node is None else Monitored(node)
    known: list[Monitored] = []

    def find(connection: HTTPConnection) -> Monitored | None:
        if fixed is not None:
            return fixed
        opened = connection.scope.get("state", {}).get(KEY)
        if opened is None:
            return None
        if not known or known[0].node is not opened:
            known[:] = [Monitored(opened)]
        return known[0]

    def source(connection: HTTPConnection) -> NodeSource | None:
        found = find(connection)
        return None if found is None else found.source

    return site([*page_routes(source), *monitoring_routes(find)])
