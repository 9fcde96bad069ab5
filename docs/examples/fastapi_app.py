"""A FastAPI app whose processes know each other: one node for the lifespan of the app.

    pip install fastapi uvicorn; cd docs/examples
    SWIM_BIND=127.0.0.1:7946 uvicorn fastapi_app:app --port 8000                                # first terminal
    SWIM_BIND=127.0.0.1:0 SWIM_JOIN=127.0.0.1:7946 uvicorn fastapi_app:app --port 8001          # second
    curl localhost:8000/members; curl -d text=hello localhost:8000/broadcast; curl localhost:8001/heard   # third

The node takes its settings from the environment, so the app is the same everywhere. With `--workers 2` let
SWIM_BIND be port 0: each worker has a node of its own, and they need a seed to join (`swim agent`).
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import Depends, FastAPI, HTTPException, Request

from swim_anyio import AsyncNode, BroadcastReceived, Overloaded, PayloadTooLarge, Subscription
from swim_anyio.contrib.starlette import lifespan, the_node


async def listen(events: Subscription, heard: deque[str]) -> None:
    """Keep what the others broadcast."""
    async for event in events:
        if isinstance(event, BroadcastReceived):
            heard.append(f"{event.origin.name}: {event.payload.decode(errors='replace')}")


@asynccontextmanager
async def with_listener(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    """The app's own lifespan, within that of the node."""
    heard = deque[str](maxlen=100)
    async with asyncio.TaskGroup() as tasks:
        with app.state.swim_node.subscribe() as events:  # the end of this block also ends the task
            tasks.create_task(listen(events, heard))
            yield {"heard": heard}


# The node belongs to the event loop. So these are all `async def`: FastAPI runs plain functions in other threads,
# where `members()` could be read, but `broadcast()` would raise WrongThread. Nothing here waits for the network.

Node = Annotated[AsyncNode, Depends(the_node)]

app = FastAPI(lifespan=lifespan(with_listener))


@app.get("/members")
async def members(node: Node) -> list[dict[str, Any]]:
    """Everyone who lives, in the view of this process."""
    return [member.to_dict() for member in node.members()]


@app.post("/broadcast")
async def broadcast(request: Request, node: Node) -> dict[str, int]:
    """Tell all others; `number` counts the broadcasts of this process."""
    text = parse_qs((await request.body()).decode(errors="replace")).get("text", [""])[0]
    try:
        return {"number": node.broadcast(text.encode())}
    except PayloadTooLarge as error:
        raise HTTPException(413, str(error)) from error
    except Overloaded as error:
        raise HTTPException(503, str(error)) from error


@app.get("/heard")
async def heard(request: Request) -> list[str]:
    """The last hundred broadcasts of the others."""
    return list(request.state.heard)


if __name__ == "__main__":
    print(__doc__)
