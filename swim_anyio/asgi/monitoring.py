"""``/metrics`` for Prometheus and ``/healthz`` for load balancers."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from swim_anyio.anywhere import Anywhere
from swim_anyio.node import AsyncNode
from swim_anyio.prometheus import NodeCollector
from swim_core import Statistics
from swim_core.address import is_loopback

from .node_source import NodeSource, unmet
from .site import plain

__all__ = ["STARTING", "Monitored", "monitoring_routes"]

STARTING = "starting: there is no node yet"


class Monitored:
    """A node with everything that shows it: made in its loop, and used in any.

    Attributes:
        node: the node.
        source: what the pages show of it.
    """

    def __init__(self, node: AsyncNode) -> None:
        self.node = node
        self.source = NodeSource(Anywhere(node))
        self._exposed = not is_loopback(node.local.address)
        self._collector = NodeCollector(node)
        self._registry = CollectorRegistry(auto_describe=True)
        self._registry.register(self._collector)
        for add in (ProcessCollector, PlatformCollector, GCCollector):
            add(registry=self._registry)

    def metrics(self, accepted: str) -> Response:
        """The metrics in the format that the client accepts."""
        try:
            encode, content_type = choose_encoder(accepted)
        except (ValueError, TypeError):  # asked for a version that is none
            encode, content_type = choose_encoder("")
        return Response(encode(self._registry), headers={"Content-Type": content_type})

    def health(self) -> Response:
        """200, or 503 and the reason."""
        found = [*self._collector.read().values()]
        trouble = _trouble(found)
        if trouble:
            return plain(503, trouble)
        remarks = "; ".join(_remarks(found[0], exposed=self._exposed))
        return plain(200, f"ok: {remarks}" if remarks else "ok")


def monitoring_routes(find: Callable[[HTTPConnection], Monitored | None]) -> list[Route]:
    """The routes; ``find`` says which node they are about, None for none yet."""

    async def metrics(request: Request) -> Response:
        found = find(request)
        return plain(503, STARTING) if found is None else found.metrics(request.headers.get("accept", ""))

    async def health(request: Request) -> Response:
        found = find(request)
        return plain(503, STARTING) if found is None else found.health()

    return [Route("/metrics", metrics), Route("/healthz", health)]


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
    if unmet(found):
        remarks.append("alone, none of its seeds has answered")
    return remarks
