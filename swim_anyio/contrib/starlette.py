"""A lifespan for Starlette and FastAPI: an application is a member for as long as it serves.

    app = FastAPI(lifespan=lifespan(name="shop"))

    @app.get("/members")
    async def members(node: Annotated[AsyncNode, Depends(the_node)]):
        return [member.to_dict() for member in node.members()]

Each process of a server starts its own lifespan, after it was forked or started anew, so each is a member of its own.
Processes on one host need ports of their own: bind port 0, and join a seed that is none of them.

Endpoints that aren't ``async def`` run in other threads. There the node's views can be read, and verbs raise
`WrongThread`.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from starlette.requests import HTTPConnection

from swim_anyio.node import AsyncNode
from swim_anyio.opening import open_node

__all__ = ["Lifespan", "lifespan", "the_node"]

KEY = "swim_node"  # in the lifespan's state

Lifespan = Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any] | None]]
"""What Starlette takes as ``lifespan``: a function of the application that returns an async context manager."""


def lifespan(inner: Lifespan | None = None, **arguments: Any) -> Callable[[Any], Any]:
    """A lifespan that opens a node, and closes it at the end.

    The node says goodbye after the last request, which takes 250 ms. If it can't be opened, or fails, the server ends
    with the reason. Meanwhile it is ``app.state.swim_node``, and what `the_node` returns for a request.

    Args:
        inner: a lifespan of your own, which begins once the node is open, and ends before it leaves. Its state is kept.
        arguments: those of `open_node`, which is called, and its errors raised, when the server starts.
    """

    @asynccontextmanager
    async def run(app: Any) -> AsyncIterator[dict[str, Any]]:
        async with open_node(**arguments) as node:
            app.state.swim_node = node
            try:
                async with nullcontext() if inner is None else inner(app) as state:
                    yield {**(state or {}), KEY: node}
            finally:
                del app.state.swim_node

    return run


def the_node(connection: HTTPConnection) -> AsyncNode:
    """The node of the application that serves a request or a websocket; a dependency of FastAPI's.

    Raises:
        LookupError: if the application has no `lifespan` of this module's, or its server runs none.
    """
    try:
        node: AsyncNode = getattr(connection.state, KEY)
    except AttributeError:
        raise LookupError("no node: give the application lifespan=swim_anyio.contrib.starlette.lifespan()") from None
    return node
