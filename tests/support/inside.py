"""The one door to what the face of a node doesn't show: for set-ups that no input brings about, and for benchmarks."""

from swim_core import Node
from swim_core.native.parts import Parts
from swim_core.native.router import Router

__all__ = ["parts_of", "router_of"]


def parts_of(node: Node) -> Parts:
    """The parts of a node."""
    return node._parts


def router_of(node: Node) -> Router:
    """What connects them."""
    return node._router
