"""`swim agent --http`: that it serves its pages, and that no client of them can do harm."""

import contextlib
import json
import select
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import anyio.to_thread
import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.agents import PATIENCE, agents
from swim_anyio import AsyncNode, anywhere
from swim_anyio.command.web import connections
from swim_anyio.command.web.agent_pages import AgentPages
from swim_core import Address, BindError, Member, State, Statistics

pytestmark = pytest.mark.sockets

both_backends = pytest.mark.parametrize("backend", ["asyncio", "trio"])
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Node:
    """In place of a running one."""

    def __init__(self) -> None:
        self._engine = SimpleNamespace(running=True, threadsafe=False)
        self.local = Member("ann", Address("127.0.0.1", 7946), 1, 0, State.ALIVE, {})
        self.now = Statistics(syncs=7)

    def statistics(self) -> Statistics:
        return self.now


@asynccontextmanager
async def serving(backend: str, node: Node | None = None, host: str = "127.0.0.1") -> AsyncIterator[AgentPages]:
    async with AgentPages(host, 0, backend) as server:
        server.observe(cast(AsyncNode, node or Node()))
        yield server


def served(test: Callable[..., Any]) -> Callable[..., None]:
    """Run an async test under both backends, with a server."""

    def run(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
        async def main() -> None:
            node = Node()
            async with serving(backend, node) as server:
                given = {"server": server, "node": node, "monkeypatch": monkeypatch}
                await test(**{name: given[name] for name in test.__annotations__ if name != "return"})

        anyio.run(main, backend=backend)

    run.__name__ = test.__name__
    return cast(Callable[..., None], both_backends(run))


def exchange(address: Address, request: bytes) -> bytes:
    """Everything that comes back for some bytes."""
    with socket.create_connection(address, timeout=PATIENCE) as client:
        client.sendall(request)
        return read_all(client)


def read_all(client: socket.socket) -> bytes:
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while data := client.recv(65_536):
            answer += data
    return answer


async def ask(server: AgentPages, request: bytes) -> tuple[int, str, str]:
    """Status, head and body of the answer."""
    answer = await anyio.to_thread.run_sync(exchange, server.address, request)
    head, _, body = answer.decode().partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 ")
    assert f"content-length: {len(body)}" in head or request.startswith(b"HEAD")
    return int(head.split()[1]), head, body


async def get(server: AgentPages, path: str, *headers: str) -> tuple[int, str, str]:
    lines = [f"GET {path} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""]
    return await ask(server, "\r\n".join(lines).encode())


@served
async def test_metrics_are_what_prometheus_reads(server: AgentPages) -> None:
    status, head, body = await get(server, "/metrics")
    assert status == 200
    assert "content-type: text/plain; version=0.0.4" in head
    families = {family.name: family for family in text_string_to_metric_families(body)}
    assert families["swim_syncs"].samples[0].value == 7
    assert "process_cpu_seconds" in families


@served
async def test_openmetrics_for_who_asks(server: AgentPages) -> None:
    status, head, body = await get(server, "/metrics", "Accept: application/openmetrics-text; version=1.0.0")
    assert status == 200
    assert "content-type: application/openmetrics-text" in head
    assert body.endswith("# EOF\n")


@served
async def test_what_is_no_version_gets_the_usual(server: AgentPages) -> None:
    for version in ("x.y", "1..", "-1", "²"):
        status, _, _ = await get(server, "/metrics", f"Accept: application/openmetrics-text; version={version}")
        assert status == 200


@served
async def test_health(server: AgentPages, node: Node) -> None:
    assert (await get(server, "/healthz"))[::2] == (200, "ok\n")
    node.now = Statistics(deaf=True)  # for now it only waits
    assert (await get(server, "/healthz"))[0] == 200
    node.now = Statistics(seeds=2, seeds_unanswered=2, members={State.ALIVE: 1})
    assert (await get(server, "/healthz"))[::2] == (200, "ok: alone, none of its seeds has answered\n")
    node.now = Statistics(seeds=2, seeds_unanswered=2, members={State.ALIVE: 2})
    assert (await get(server, "/healthz"))[::2] == (200, "ok\n")
    node.local = Member("ann", Address("192.0.2.1", 7946), 1, 0, State.ALIVE, {})
    server.observe(cast(AsyncNode, node))
    assert (await get(server, "/healthz"))[2] == "ok: NOT SEALED, so whoever reaches this node can forge membership\n"
    node.now = Statistics(sealed=True)
    assert (await get(server, "/healthz"))[2] == "ok\n"
    node.now = Statistics(isolated=True)
    status, _, body = await get(server, "/healthz")
    assert (status, body.partition(":")[0]) == (503, "isolated")
    node.now = Statistics(superseded=True)
    status, _, body = await get(server, "/healthz")
    assert (status, body.partition(":")[0]) == (503, "superseded")


@served
async def test_a_loop_that_does_not_answer_is_down(server: AgentPages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anywhere, "PATIENCE", 0.01)
    answer = exchange(server.address, GET)  # blocks this loop
    assert b" 503 " in answer
    assert b"\r\n\r\ndown: " in answer
    assert b'swim_up{node="ann"} 0.0' in exchange(server.address, GET.replace(b"/healthz", b"/metrics"))


@both_backends
def test_before_there_is_a_node(backend: str) -> None:
    async def main() -> None:
        async with AgentPages("127.0.0.1", 0, backend) as server:
            for path in ("/healthz", "/metrics"):
                status, _, body = await get(server, path)
                assert (status, body.partition(":")[0]) == (503, "starting")

    anyio.run(main, backend=backend)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"HEAD /metrics HTTP/1.0\r\n\r\n", 200),
        (b"GET /metrics?name=x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200),
        (b"GET http://x/metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200),
        (b"GET /metrics HTTP/1.1\n\n", 400),
        (b"GET /nowhere HTTP/1.0\r\n\r\n", 404),
        (b"GET /metrics/ HTTP/1.0\r\n\r\n", 404),
        (b"GET * HTTP/1.0\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"OPTIONS /nowhere HTTP/1.0\r\n\r\n", 404),
        (b"GET /metrics\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /m\xc3\xa9trics HTTP/1.1\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 20_000, 431),
    ],
    ids=lambda value: repr(value)[2:25],
)
@both_backends
def test_odd_requests(backend: str, request_: bytes, status: int) -> None:
    async def main() -> None:
        async with serving(backend) as server:
            found, head, body = await ask(server, request_)
            assert found == status
            assert ("allow: GET, HEAD" in head) is (status == 405)
            assert (body == "") is (request_.startswith(b"HEAD") or status in (400, 431))
            assert (await get(server, "/healthz"))[0] == 200

    anyio.run(main, backend=backend)


@both_backends
def test_slow_clients_hold_up_nobody_and_are_let_go(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.2)

    async def main() -> None:
        async with serving(backend) as server:
            with contextlib.ExitStack() as clients:
                slow = [clients.enter_context(socket.create_connection(server.address, PATIENCE)) for _ in range(5)]
                for client in slow[1:]:
                    client.sendall(b"GET /met")
                assert (await get(server, "/healthz"))[0] == 200
                for client in slow:
                    assert await anyio.to_thread.run_sync(read_all, client) == b""

    anyio.run(main, backend=backend)


@served
async def test_who_hangs_up_does_no_harm(server: AgentPages) -> None:
    for request in (b"", b"GET", GET, GET * 50):
        client = socket.create_connection(server.address, PATIENCE)
        client.sendall(request)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset, not closed
        client.close()
    assert (await get(server, "/healthz"))[0] == 200


@served
async def test_of_more_connections_than_are_allowed_the_oldest_go(server: AgentPages) -> None:
    """Whoever holds them all must not have this process taken for a dead one."""
    with contextlib.ExitStack() as clients:
        held = [
            clients.enter_context(socket.create_connection(server.address, PATIENCE))
            for _ in range(connections.MAX_CONNECTIONS + 3)
        ]
        assert (await get(server, "/healthz"))[0] == 200
        for client in held[:3]:
            assert await anyio.to_thread.run_sync(read_all, client) == b""
        held[-1].sendall(GET)
        assert (await anyio.to_thread.run_sync(read_all, held[-1])).startswith(b"HTTP/1.1 200 ")


@served
async def test_a_flood_after_the_request_is_not_read_for_long(
    server: AgentPages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 3_600.0)

    def flood() -> None:
        with socket.create_connection(server.address, timeout=PATIENCE) as client:
            client.sendall(GET)
            with contextlib.suppress(ConnectionError):
                while True:
                    client.sendall(bytes(65_536))

    await anyio.to_thread.run_sync(flood)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux counts how long a client reads nothing")
@both_backends
def test_who_reads_no_answers_is_let_go(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "UNREAD", 0.1)

    def ask_and_read_nothing(address: Address) -> None:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_024)
            client.connect(address)
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
            client.setblocking(False)
            ended = select.poll()
            ended.register(client, 0)
            for _ in range(int(PATIENCE / 0.1)):
                with contextlib.suppress(BlockingIOError):
                    client.send(b"\r")  # or this side would not learn of it
                if ended.poll(100):
                    return
        raise AssertionError("it is still connected")

    async def main() -> None:
        async with serving(backend) as server:
            await anyio.to_thread.run_sync(ask_and_read_nothing, server.address)
            assert (await get(server, "/healthz"))[0] == 200

    anyio.run(main, backend=backend)


@served
async def test_a_page_that_can_not_be_made_is_a_failure_of_that_page_only(
    server: AgentPages, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "statistics", lambda: 1 // 0)
    assert (await get(server, "/metrics"))[::2] == (500, "this page could not be made\n")
    monkeypatch.undo()
    assert (await get(server, "/metrics"))[0] == 200


@both_backends
def test_ipv6(backend: str) -> None:
    async def main() -> None:
        async with serving(backend, host="::1") as server:
            assert server.address.host == "::1"
            assert (await get(server, "/healthz"))[0] == 200

    anyio.run(main, backend=backend)


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("198.51.100.1", "is not an address of this host"),
        ("no-such-host.invalid", "does not resolve"),
        ("a..b", "a..b"),
    ],
)
@both_backends
def test_an_address_that_can_not_be_had(backend: str, host: str, says: str) -> None:
    async def main() -> None:
        with pytest.raises(BindError, match=f"http: .*{says}"):
            async with AgentPages(host, 0, backend):
                raise AssertionError("it is open")

    anyio.run(main, backend=backend)


@both_backends
def test_whatever_else_keeps_it_from_starting_is_raised(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    async def main() -> None:
        with pytest.raises(ZeroDivisionError, match="a bug"):
            async with AgentPages("127.0.0.1", 0, backend):
                raise AssertionError("it is open")

    monkeypatch.setattr("swim_anyio.command.web.server.listening", broken)
    anyio.run(main, backend=backend)


@both_backends
def test_a_port_in_use_is_free_again_afterwards(backend: str) -> None:
    async def main() -> None:
        async with serving(backend) as server:
            with pytest.raises(BindError, match=r"http: 127\.0\.0\.1:.* is in use"):
                async with AgentPages(*server.address, backend):
                    raise AssertionError("it is open")
        async with AgentPages(*server.address, backend) as again:
            assert again.address == server.address

    anyio.run(main, backend=backend)


@pytest.mark.processes
@both_backends
def test_an_agent_serves_its_metrics(backend: str) -> None:
    with agents() as start:
        n1 = start("n1", "--backend", backend, "--http", "127.0.0.1:0")
        n2 = start("n2", "--backend", backend, "--metrics", "127.0.0.1:0", join=n1)
        n1.wait_for("alive", member="n2")
        n2.wait_for("started")  # from then on it heeds signals
        page = partial(read_page, str(n1.wait_for("started")["metrics"]))
        listed = json.loads(swim("members", "--join", str(n1.wait_for("started")["address"]), "--format", "json"))
        shown = json.loads(page("/members"))
        assert shown["asked"].keys() == listed["asked"].keys()
        assert [row.keys() for row in shown["members"]] == [row.keys() for row in listed["members"]]
        assert 'swim_members{node="n1",state="alive"} 2.0' in page("/metrics")
        assert page("/healthz") == "ok\n"
        assert n2.end(15) == 0
        with urllib.request.urlopen(f"http://{n1.wait_for('started')['metrics']}/events", timeout=PATIENCE) as stream:
            assert stream.readline().startswith(b"retry:")
            assert n1.end(15) == 0  # whoever follows the events holds up no goodbye


@pytest.mark.processes
def test_a_page_of_agents_side_by_side(tmp_path: Path) -> None:
    key = tmp_path / "swim.key"
    swim("keygen", str(key))
    with agents() as start:
        n1 = start("n1", "--key-file", str(key))
        start("n2", "--key-file", str(key), join=n1)
        n1.wait_for("alive", member="n2")
        ask = str(n1.wait_for("started")["address"])
        command = [sys.executable, "-m", "swim_anyio", "page", "--ask", ask, "--ask", "127.0.0.1:1"]
        command += ["--http", "127.0.0.1:0", "--key-file", str(key)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as page:
            assert page.stdout is not None
            url, password = page.stdout.readline().rstrip(")\n").split("  (password: ")
            with pytest.raises(urllib.error.HTTPError, match="401") as refused:
                urllib.request.urlopen(f"{url}members", timeout=PATIENCE)
            refused.value.close()
            request = urllib.request.Request(f"{url}members", headers={"Authorization": f"Bearer {password}"})
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                first, second = json.load(answer)["views"]
            assert [row["name"] for row in first["members"]] == ["n1", "n2"]
            assert second["error"].startswith("nothing listens at 127.0.0.1:1")
            listed = json.loads(swim("members", "--join", ask, "--key-file", str(key), "--format", "json"))
            assert [row.keys() for row in first["members"]] == [row.keys() for row in listed["members"]]
            page.send_signal(signal.SIGINT)
            assert page.wait(PATIENCE) == 128 + signal.SIGINT


def swim(*arguments: str) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "swim_anyio", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout


def read_page(address: str, path: str) -> str:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=PATIENCE) as answer:
        assert answer.status == HTTPStatus.OK
        return cast(bytes, answer.read()).decode()
