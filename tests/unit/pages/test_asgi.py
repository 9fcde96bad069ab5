"""`swim_anyio.asgi.app`: what the pages of a node say; nodes on a simulated network, requests in process."""

import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import anyio
import httpx
import trio
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Mount

from support.inside import engine_of
from swim_anyio import AsyncNode, asgi, open_node
from swim_anyio.asgi import pages
from swim_anyio.contrib.starlette import lifespan
from swim_anyio.testing import SimulatedNetwork, simulated_network


def client(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1")


def with_three(test: Callable[[AsyncNode, SimulatedNetwork, Any], Any]) -> Callable[[], None]:
    """Run a test with the node ``ann``, which sees ``bob`` and ``eve``, and an HTTP client of its pages."""

    async def program(name: str) -> None:
        async with open_node("0.0.0.0:7946", name=name, join="ann:7946"):
            await trio.sleep_forever()

    def run() -> None:
        with simulated_network(seed=7) as net:

            async def scene() -> None:
                async with trio.open_nursery() as nursery:
                    with net.host("ann"):
                        async with open_node("0.0.0.0:7946", name="ann") as ann:
                            net.start(nursery, "bob", program, "bob")
                            net.start(nursery, "eve", program, "eve")
                            await trio.sleep(5)
                            async with client(asgi.app(ann)) as pages_of_ann:
                                await test(ann, net, pages_of_ann)
                            nursery.cancel_scope.cancel()

            net.run(scene)

    run.__name__ = test.__name__
    return run


@with_three
async def test_members(ann: AsyncNode, net: SimulatedNetwork, http: httpx.AsyncClient) -> None:
    net.kill("eve")
    await trio.sleep(5)
    told = (await http.get("/members")).json()
    assert told["asked"] == {
        "name": "ann",
        "address": str(ann.local.address),
        "standing": "fine",
        "live": 2,
        "gone": 1,
    }
    rows = {row["name"]: row for row in told["members"]}
    assert {name: row["state"] for name, row in rows.items()} == {"ann": "alive", "bob": "alive", "eve": "dead"}
    assert 0 < rows["eve"]["age"] < 5
    assert rows["bob"]["round_trip"] > 0
    assert rows["eve"]["rule"] == "gone"
    assert rows["eve"]["accuser"] in ("ann", "bob")


@with_three
async def test_why(ann: AsyncNode, net: SimulatedNetwork, http: httpx.AsyncClient) -> None:
    net.kill("eve")
    await trio.sleep(5)
    told = (await http.get("/why/eve")).json()
    assert told["member"]["rule"] == "gone"
    times = [seen["t"] for seen in told["observations"]]
    assert times == sorted(times)
    assert times[0] <= told["at"] <= told["t"]
    assert {"observer", "what", "detail"} <= told["observations"][0].keys()
    assert "at" not in (await http.get("/why/bob")).json()
    missing = await http.get("/why/a%2Fb")
    assert (missing.status_code, missing.text) == (404, "ann knows no member named 'a/b'\n")


@with_three
async def test_info_and_rings(ann: AsyncNode, net: SimulatedNetwork, http: httpx.AsyncClient) -> None:
    assert (await http.get("/info")).json()["statistics"]["members"]["alive"] == 3
    rings = (await http.get("/rings")).json()["rings"]
    assert [sorted(ring) for ring in rings] == [["ann", "bob", "eve"]] * 4


@with_three
async def test_monitors(ann: AsyncNode, net: SimulatedNetwork, http: httpx.AsyncClient) -> None:
    assert (await http.get("/healthz")).text == "ok: NOT SEALED, so whoever reaches this node can forge membership\n"
    families = {one.name: one for one in text_string_to_metric_families((await http.get("/metrics")).text)}
    assert {sample.value for sample in families["swim_up"].samples} == {1}


class Stream:
    """Do what a browser's `EventSource` does: ask for the events, and read them until it hangs up."""

    def __init__(self, app: Any, last: str = "") -> None:
        self.events: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.status = 0
        self.head: dict[str, str] = {}
        self._app, self._last = app, last
        self._gone = anyio.Event()
        self._asked = False

    async def run(self) -> None:
        headers = [(b"last-event-id", self._last.encode())] if self._last else []
        scope = {"type": "http", "method": "GET", "path": "/events", "headers": headers, "query_string": b""}
        await self._app(scope | {"asgi": {"version": "3.0"}, "root_path": ""}, self._receive, self._send)

    def hang_up(self) -> None:
        self._gone.set()

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request"}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.head = {name.decode(): value.decode() for name, value in message["headers"]}
        for line in message.get("body", b"").decode().splitlines():
            if line.startswith("data: "):
                self.events.append(json.loads(line.removeprefix("data: ")))
            elif line.startswith("id: "):
                self.ids.append(line.removeprefix("id: "))


@with_three
async def test_events(ann: AsyncNode, net: SimulatedNetwork, http: httpx.AsyncClient) -> None:
    app = asgi.app(ann)
    stream = Stream(app)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.run)
        await trio.sleep(1)
        assert stream.head["content-type"].startswith("text/event-stream")
        assert {(event["event"], event["member"]) for event in stream.events} == {("joined", "bob"), ("joined", "eve")}
        net.kill("eve")
        await trio.sleep(5)
        stream.hang_up()
    death = stream.events[-1]
    assert (death["event"], death["member"], death["rule"], death["seen_by"]) == ("dead", "eve", "gone", ["ann"])
    again = Stream(app, last=stream.ids[-2])
    other_run = Stream(app, last="17-3")
    for later in (again, other_run):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(later.run)
            await trio.sleep(1)
            later.hang_up()
    assert [event["event"] for event in again.events] == ["dead"]
    assert other_run.ids == stream.ids


@with_three
async def test_streams_are_few(ann: AsyncNode, net: SimulatedNetwork, http: httpx.AsyncClient) -> None:
    app = asgi.app(ann)
    streams = [Stream(app) for _ in range(pages.MAX_STREAMS + 1)]
    async with trio.open_nursery() as nursery:
        for stream in streams:
            nursery.start_soon(stream.run)
            await trio.sleep(0.1)
        assert [stream.status for stream in streams] == [200] * pages.MAX_STREAMS + [503]
        streams[0].hang_up()
        await trio.sleep(1)
        late = Stream(app)
        nursery.start_soon(late.run)
        await trio.sleep(0.1)
        assert late.status == 200
        nursery.cancel_scope.cancel()


def test_all_that_the_page_loads_is_small() -> None:
    served = [file.read_bytes() for file in (files("swim_anyio.asgi") / "static").iterdir()]
    assert len(served) > 10
    assert sum(map(len, served)) < 60_000


@with_three
async def test_every_answer_tells_the_browser_to_trust_nothing_else(
    ann: AsyncNode, net: SimulatedNetwork, http: httpx.AsyncClient
) -> None:
    for path in ("/", "/members", "/metrics", "/nowhere"):
        answer = await http.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


@with_three
async def test_once_the_node_has_ended_the_pages_say_so(
    ann: AsyncNode, net: SimulatedNetwork, http: httpx.AsyncClient
) -> None:
    stream = Stream(asgi.app(ann))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.run)
        await trio.sleep(1)
        await ann.leave()
        engine_of(ann).close()
    for path in ("/members", "/why/bob", "/info", "/rings", "/healthz"):
        assert (await http.get(path)).status_code == 503


def test_a_program_mounts_it_under_a_prefix() -> None:
    async def main() -> None:
        program = Starlette(routes=[Mount("/swim", asgi.app())], lifespan=lifespan(name="shop", bind="127.0.0.1:0"))
        async with client(program) as http:
            assert (await http.get("/swim/members")).status_code == 503  # the server runs no lifespan
            assert (await http.get("/swim/healthz")).text.startswith("starting")
        async with program.router.lifespan_context(program) as state:

            async def serve(scope: Any, receive: Any, send: Any) -> None:
                await program({**scope, "state": {**(state or {})}}, receive, send)

            async with client(serve) as http:
                told = (await http.get("/swim/members")).json()
                assert [row["name"] for row in told["members"]] == ["shop"]
                assert (await http.get("/swim/healthz")).text == "ok\n"
                assert 'swim_up{node="shop"} 1.0' in (await http.get("/swim/metrics")).text
                page = await http.get("/swim/")
                assert page.headers["content-type"].startswith("text/html")

    anyio.run(main)
