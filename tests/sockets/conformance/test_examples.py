"""The examples of the documentation do what they say, as processes where that is how they are used."""

import asyncio
import importlib.util
import os
import re
import runpy
import signal
import socket
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

import swim_threads
from support.example import CONFIG, EXAMPLES, PATIENCE, QUICK, Example, Start
from support.paths import DOCS
from support.waiting import wait_until
from swim_core import Address, BindError, BroadcastReceived, Member, MemberDied, MemberJoined, MemberLeft
from swim_core.placement import Placement

processes = pytest.mark.processes
pytestmark = pytest.mark.sockets


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port of which UDP and TCP are in use."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(server.getsockname())
        yield server.getsockname()[1]


def load(name: str) -> Any:
    """Import an example as a module."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES[name])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def members(*names: str) -> list[Member]:
    return [Member(name, Address("127.0.0.1", 7946)) for name in names]


# ---------------------------------------------------------------- what all have in common


def test_the_page_lists_them_all() -> None:
    listed = re.findall(r"examples/(\w+)\.py\)", (DOCS / "examples.md").read_text())
    assert len(set(listed)) == len(listed)
    assert set(EXAMPLES) <= set(listed)
    assert all((DOCS / "examples" / f"{name}.py").exists() for name in listed)


@pytest.mark.parametrize("name", EXAMPLES)
def test_help_says_how_to_run_it_in_two_terminals(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    try:
        runpy.run_path(str(EXAMPLES[name]), run_name="__main__")
    except SystemExit as end:
        print(end.code)
    shown = capsys.readouterr().out
    assert "# first terminal" in shown
    assert "# second" in shown
    assert max(len(line) for line in shown.splitlines()) <= 120


IN_USE = {
    "chat": ["ann", "--bind", "127.0.0.1:{}"],
    "embedding": ["ann", "{}", "7946"],
    "flask_worker": ["--bind", "127.0.0.1:{}"],
    "gevent_service": ["--bind", "127.0.0.1:{}"],
    "prefork": ["--port", "{}"],
    "sharded_cache": ["--bind", "127.0.0.1:{}"],
    "singleton_job": ["--bind", "127.0.0.1:{}"],
    "trio_service": ["--bind", "127.0.0.1:{}"],
    "twisted_service": ["--bind", "127.0.0.1:{}"],
}
NEEDS = {
    "celery_workers": "celery",
    "django_app": "django",
    "fastapi_app": "fastapi",
    "flask_app": "flask",
    "flask_worker": "flask",
    "gevent_service": "gevent",
    "twisted_service": "twisted",
}


@pytest.fixture(autouse=True)
def has_what_the_example_needs(request: pytest.FixtureRequest) -> None:
    """Skip an example whose library is not installed: that of a row, or the one in the name of the test."""
    arguments = request.node.callspec.params.values() if hasattr(request.node, "callspec") else ()
    for name, library in NEEDS.items():
        if name in arguments or library in request.node.name.split("_"):
            pytest.importorskip(library)


@pytest.mark.parametrize("name", IN_USE)
def test_a_port_in_use_is_one_line(name: str, taken_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [name, *(argument.format(taken_port) for argument in IN_USE[name])])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(EXAMPLES[name]), run_name="__main__")
    assert re.fullmatch(rf"{name}: .*{taken_port}.*in use.*|{name}: .*in use.*{taken_port}.*", str(end.value.code))


def test_a_port_in_use_ends_the_start_of_the_fastapi_app(taken_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWIM_BIND", f"127.0.0.1:{taken_port}")

    async def begin() -> None:
        async with served(load("fastapi_app").app):
            pytest.fail("it started")

    with pytest.raises(BindError, match=rf"{taken_port} is in use"):
        asyncio.run(begin())


def test_the_embedding_loop_is_under_60_lines() -> None:
    assert len(EXAMPLES["embedding"].read_text().splitlines()) < 60


# ---------------------------------------------------------------- each by itself


@processes
@pytest.mark.parametrize("name", ["gevent_service", "twisted_service"])
def test_a_server_in_another_loop_is_a_member(name: str, start: Start, seed: swim_threads.ThreadNode) -> None:
    with seed.subscribe() as events:
        server = start(name, "--port", "0", "--bind", "127.0.0.1:0", "--join", str(seed.local.address))
        at = server.wait_for(r"serving on port (\d+), the node is at (\S+)")
        server.wait_for("alive member='seed'")
        joined = events.get(PATIENCE)
        assert isinstance(joined, MemberJoined)
        assert str(joined.member.address) == at[2]
        with socket.create_connection(("127.0.0.1", int(at[1])), timeout=PATIENCE) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            told = b"".join(iter(lambda: connection.recv(1000), b"")).decode()
        for member in (seed.local, joined.member):
            assert f"{member.name} {member.address} alive\n" in told
        server.end()
        assert isinstance(events.get(PATIENCE), MemberLeft)


@processes
def test_the_trio_service_drains(start: Start) -> None:
    ann = start("trio_service", "--name", "ann", "--bind", "127.0.0.1:0")
    at = ann.wait_for(r"ann serves on (\S+), its node is at (\S+)")
    bob = start("trio_service", "--name", "bob", "--bind", "127.0.0.1:0", "--join", at[2])
    bob_at = bob.wait_for(r"bob serves on 127.0.0.1:(\d+),")[1]
    ann.wait_for(rf"serving: ann at {at[1]}, bob at 127.0.0.1:{bob_at}$")
    with socket.create_connection(("127.0.0.1", int(bob_at)), timeout=PATIENCE) as connection:
        connection.sendall(b"first")
        assert connection.recv(100) == b"FIRST"
        before = len(ann.lines)
        bob.process.send_signal(signal.SIGINT)
        ann.wait_for(rf"serving: ann at {at[1]}$", after=before)  # it stops coming, while
        connection.sendall(b"second")
        assert connection.recv(100) == b"SECOND"  # what was begun is finished
        assert bob.process.poll() is None
    bob.end(None)
    assert "draining" in bob.lines
    assert bob.lines[-1] == "left"
    ann.end(signal.SIGTERM)


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an app whose lifespan is running, as under an ASGI server."""
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "state": dict(state)}, receive, send)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(with_state), base_url="http://app") as client:
            yield client


def test_the_fastapi_app_knows_the_others(seed: swim_threads.ThreadNode, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in {**QUICK, "SWIM_BIND": "127.0.0.1:0", "SWIM_JOIN": str(seed.local.address)}.items():
        monkeypatch.setenv(variable, value)

    async def use(events: swim_threads.Subscription) -> None:
        async with served(load("fastapi_app").app) as client:
            joined = await asyncio.to_thread(events.get, PATIENCE)
            assert isinstance(joined, MemberJoined)
            assert (await client.post("/broadcast", data={"text": "hello"})).json() == {"number": 1}
            heard = await asyncio.to_thread(events.get, PATIENCE)
            assert isinstance(heard, BroadcastReceived)
            assert (heard.origin.name, heard.payload) == (joined.member.name, b"hello")
            names = {member["name"]: member["address"] for member in (await client.get("/members")).json()}
            assert names == {one.name: str(one.address) for one in (seed.local, joined.member)}
            seed.broadcast(b"hello yourself")
            while not (told := (await client.get("/heard")).json()):
                await asyncio.sleep(0.01)
            assert told == ["seed: hello yourself"]
            assert (await client.post("/broadcast", data={"text": "x" * 300})).status_code == 413
        assert isinstance(await asyncio.to_thread(events.get, PATIENCE), MemberLeft)

    with seed.subscribe() as events:
        asyncio.run(use(events))


def test_the_flask_workers_forget_together(seed: swim_threads.ThreadNode) -> None:
    module = load("flask_worker")
    looked_up = iter(range(100))
    module.look_up = lambda item: f"{item} {next(looked_up)}"
    with swim_threads.open_node("127.0.0.1:0", name="bob", join=str(seed.local.address), config=CONFIG) as bob:
        shops = []
        for node in (seed, bob):
            prices: dict[str, str] = {}
            module.keep_fresh(node, prices)
            shops.append((module.create_app(node, prices).test_client(), prices))
        (here, _), (there, cached) = shops
        seed.wait_for_members(2, PATIENCE)
        bob.wait_for_members(2, PATIENCE)
        assert [shop.get("/price/tea").text for shop in (here, there, here, there)] == [
            *("tea 0\n", "tea 1\n", "tea 0\n", "tea 1\n")
        ]
        assert here.post("/price/tea/changed").status_code == 204
        wait_until(lambda: "tea" not in cached)
        assert {shop.get("/price/tea").text for shop in (here, there)} == {"tea 2\n", "tea 3\n"}
        assert here.get("/members").json == [f"{one.name} {one.address} ALIVE" for one in seed.members()]
        assert here.post(f"/price/{'x' * 300}/changed").status_code == 503


@processes
def test_the_flask_worker_ends_by_ctrl_c(start: Start, seed: swim_threads.ThreadNode) -> None:
    with seed.subscribe() as events:
        worker = start("flask_worker", "--port", "0", "--bind", "127.0.0.1:0", "--join", str(seed.local.address))
        page = worker.wait_for(r"Running on (http://\S+)")[1]
        assert isinstance(events.get(PATIENCE), MemberJoined)
        wait_until(lambda: b"seed" in urllib.request.urlopen(f"{page}/members", timeout=PATIENCE).read())
        worker.end()
        assert isinstance(events.get(PATIENCE), MemberLeft)


def worker_ids(node: swim_threads.ThreadNode) -> set[int]:
    """The process ids of the prefork workers that live, as their metadata say."""
    return {int(member.metadata["pid"]) for member in node.members() if "pid" in member.metadata}


@processes
def test_each_prefork_worker_is_a_member(start: Start, seed: swim_threads.ThreadNode) -> None:
    server = start("prefork", "--port", "0", "--join", str(seed.local.address))
    page = server.wait_for(r"2 workers serve (\S+)")[1]
    wait_until(lambda: len(worker_ids(seed)) == 2)
    before = worker_ids(seed)
    wait_until(lambda: len(urllib.request.urlopen(page, timeout=PATIENCE).read().splitlines()) == 3)
    with seed.subscribe() as events:
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        died = next(event for event in events if isinstance(event, MemberDied))
        assert died.member.name not in {member.name for member in seed.members()}
        wait_until(lambda: len(worker_ids(seed)) == 2)
        assert victim not in worker_ids(seed)
        server.end()
        assert {type(events.get(PATIENCE)) for _ in range(3)} == {MemberJoined, MemberLeft}
    assert seed.members() == (seed.local,)


@processes
def test_the_hooks_serve_gunicorn(start: Start, seed: swim_threads.ThreadNode, tmp_path: Path) -> None:
    pytest.importorskip("gunicorn")
    folder = str(DOCS / "examples")
    command = [sys.executable, "-m", "gunicorn", "-c", str(EXAMPLES["prefork"]), "--chdir", folder]
    options = ("--bind", "127.0.0.1:0", "prefork:application")
    server = start("prefork", *options, command=command, SWIM_JOIN=str(seed.local.address), HOME=str(tmp_path))
    page = server.wait_for(r"Listening at: (\S+)")[1]
    wait_until(lambda: len(worker_ids(seed)) == 2)
    wait_until(lambda: len(urllib.request.urlopen(page, timeout=PATIENCE).read().splitlines()) == 3)
    with seed.subscribe() as events:
        server.end()
        assert {type(events.get(PATIENCE)) for _ in range(2)} == {MemberLeft}


TUTORIAL = {path.stem: path for path in sorted((DOCS / "tutorial").glob("*.py"))}


@processes
def test_the_tutorial_grows_by_steps_that_do_what_the_page_says(start: Start) -> None:
    page = (DOCS / "tutorial.md").read_text()
    assert re.findall(r"tutorial/(step\d)\.py", page.partition("## 2")[0])[0] == "step1"
    assert set(re.findall(r"literalinclude\} tutorial/(\w+)", page)) == set(TUTORIAL)

    def run(step: int, name: str, seed: str | None = None) -> Example:
        command = [sys.executable, "-W", "error", str(TUTORIAL[f"step{step}"]), name]
        at = {"SWIM_BIND": "127.0.0.1:0", **({"SWIM_JOIN": seed} if seed else {})}
        return start("", command=command, PYTHONUNBUFFERED="", **at)  # a buffer would mix the lines of two threads

    def pair(step: int) -> tuple[Example, Example]:
        first = run(step, "ann")
        return first, run(step, "bob", first.wait_for(r"ann is at (\S+)")[1])

    ann, bob = pair(1)
    for each in (ann, bob):
        each.wait_for("members: ann, bob")
    for each in (ann, bob):
        each.say("")
        each.end(None)

    ann, bob = pair(2)
    ann.wait_for("bob is alive")
    bob.wait_for("bob is at")
    bob.end()
    ann.wait_for("bob is left")
    ann.end()

    ann, bob = pair(3)
    for each in (ann, bob):
        each.wait_for("(ann|bob) is alive")
    bob.say("tea")
    for each in (ann, bob):
        each.wait_for("doing tea")
        each.end()

    for step in (4, 5):
        ann, bob = pair(step)
        for each in (ann, bob):
            each.wait_for("(ann|bob) is alive")
        for number in range(8):
            ann.say(f"job {number}")  # to the survivor, since what a killed process had queued is lost
        wait_until(lambda ann=ann, bob=bob: done(ann, bob) == {f"job {number}" for number in range(8)})  # type: ignore[misc]
        assert sum(line.startswith("doing") for each in (ann, bob) for line in each.lines) == 8  # each by one of them
        if step == 5:
            bob.kill()
            ann.wait_for("bob is dead")
            wait_until(lambda ann=ann: len(done(ann)) == 8)  # type: ignore[misc]
            ann.end()
            assert ann.lines[-1] == "draining"
        else:
            bob.end()
            ann.end()


def done(*workers: Example) -> set[str]:
    """The jobs that these say they do."""
    return {line.removeprefix("doing ") for each in workers for line in list(each.lines) if line.startswith("doing ")}


def ask(address: str, *requests: str) -> list[str]:
    """Answers of the cache, one connection for all requests."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), PATIENCE) as connection, connection.makefile("rw") as lines:
        answers = []
        for request in requests:
            lines.write(request + "\n")
            lines.flush()
            answers.append(lines.readline().strip())
        return answers


@processes
def test_the_cache_is_sharded(start: Start) -> None:
    ann = start("sharded_cache", "--name", "ann", "--bind", "127.0.0.1:0")
    at, seed = ann.wait_for(r"ann serves on (\S+), its node is at (\S+)").groups()
    bob = start("sharded_cache", "--name", "bob", "--bind", "127.0.0.1:0", "--join", seed)
    bob_at = bob.wait_for(r"bob serves on (\S+),")[1]
    for shard in (ann, bob):
        shard.wait_for("<Placement over ann, bob>")
    keys = [f"key{number}" for number in range(30)]
    owners = {key: Placement(members("ann", "bob")).owner(key).name for key in keys}
    assert ask(at, *(f"SET {key} is {key}" for key in keys)) == ["OK"] * 30
    for address in (at, bob_at):  # whichever node is asked
        assert ask(address, *(f"GET {key}" for key in keys)) == [f"VALUE is {key}" for key in keys]
        kept = ask(address, *(f"HERE GET {key}" for key in keys))
        assert [answer != "NONE" for answer in kept] == [owners[key] == owner_at(address, at) for key in keys]
    before = len(ann.lines)
    bob.kill()
    ann.wait_for("<Placement over ann>", after=before)
    expected = [f"VALUE is {key}" if owners[key] == "ann" else "NONE" for key in keys]
    assert ask(at, *(f"GET {key}" for key in keys)) == expected  # only the lost member's keys are gone
    carl = start("sharded_cache", "--name", "carl", "--bind", "127.0.0.1:0", "--join", seed)
    carl_at = carl.wait_for(r"carl serves on (\S+),")[1]
    handed = sum(owners[key] == "ann" != Placement(members("ann", "carl")).owner(key).name for key in keys)
    ann.wait_for(f"<Placement over ann, carl>, {handed} keys handed over")
    carl.wait_for("<Placement over ann, carl>")
    assert ask(carl_at, *(f"GET {key}" for key in keys)) == expected
    assert ask(at, "nonsense", "GET a b", "SET a", "HERE") == ["ERROR say GET KEY or SET KEY VALUE"] * 4
    carl.end()
    ann.end()


def owner_at(address: str, of_ann: str) -> str:
    return "ann" if address == of_ann else "bob"


def test_the_store_refuses_who_was_superseded(tmp_path: Path) -> None:
    module = load("singleton_job")
    with closing(module.Store(str(tmp_path / "x"))) as first, closing(module.Store(str(tmp_path / "x"))) as second:
        assert not first.write(1, "before anybody took over")
        old = first.take_over()
        assert first.write(old, "a")
        new = second.take_over()
        assert new > old
        assert not first.write(old, "from one who was stopped and woke up")
        assert second.write(new, "b")


@processes
def test_the_job_moves_when_its_node_dies(start: Start, tmp_path: Path) -> None:
    owner = Placement(members("ann", "bob")).owner("the nightly report").name
    other = "ann" if owner == "bob" else "bob"
    common = ("--bind", "127.0.0.1:0", "--store", str(tmp_path / "store"), "--every", "0.1")
    first = start("singleton_job", "--name", other, *common)
    address = first.wait_for(r"is at (\S+)")[1]
    token = int(first.wait_for(r"wrote a page with token (\d+)")[1])
    second = start("singleton_job", "--name", owner, "--join", address, *common)
    taken = int(second.wait_for(r"wrote a page with token (\d+)")[1])  # it comes, and it is its own
    assert taken > token
    first.wait_for("the job moved on|was refused")
    wait_until(lambda: len(settled := tokens(second.lines)[-5:]) == 5 and len(set(settled)) == 1)  # it is undisputed
    before = len(first.lines)
    second.kill()
    wait_until(lambda: any(written > taken for written in tokens(first.lines[before:])))
    first.end()


def tokens(lines: list[str]) -> list[int]:
    """The tokens with which pages were written."""
    return [int(match[1]) for line in lines if (match := re.search(r"wrote a page with token (\d+)", line))]


@processes
@pytest.mark.parametrize("protocol", ["native", "smudge"])
def test_people_chat(start: Start, protocol: str) -> None:
    ann = start("chat", "ann", "--bind", "127.0.0.1:0", "--protocol", protocol)
    name, address = ann.wait_for(r"\* (\S+) at (\S+): type away").groups()
    bob = start("chat", "bob", "--bind", "127.0.0.1:0", "--join", address, "--protocol", protocol)
    other = bob.wait_for(r"\* (\S+) at \S+: type away")[1]
    ann.wait_for(rf"\* {other} is here")
    bob.wait_for(rf"\* {name} is here")
    ann.say("hello, \x1b[2Jworld")
    bob.wait_for("ann: hello, \N{REPLACEMENT CHARACTER}\\[2Jworld")
    bob.say("x" * 300)
    bob.wait_for(r"\* .*256")
    assert bob.process.stdin is not None
    bob.process.stdin.close()  # Ctrl-D
    bob.end(None)
    ann.wait_for(rf"\* {other} (has left|is gone)")
    ann.end()


@processes
def test_the_embedded_node_joins_and_leaves(start: Start, seed: swim_threads.ThreadNode) -> None:
    with seed.subscribe() as events:
        node = start("embedding", "bob", "0", str(seed.local.address.port))
        node.wait_for("alive .*seed")
        assert isinstance(events.get(PATIENCE), MemberJoined)
        seed.broadcast(b"hello")
        node.wait_for("broadcast .*hello")
        node.end()
        assert isinstance(events.get(PATIENCE), MemberLeft)
