"""Applications of web frameworks and workers of Celery are members: one node a process, whatever forks or reloads."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import swim_threads
from support.example import CONFIG, EXAMPLES, PATIENCE, Example, Start, joining
from support.paths import DOCS
from support.waiting import HERE, wait_until
from swim_core import BindError, ConfigError, Member, MemberLeft
from swim_threads.contrib.per_process import NodePerProcess

FOLDER = str(DOCS / "examples")

processes = pytest.mark.processes
pytestmark = pytest.mark.sockets


def fetch(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        return json.load(answer)


def shops(seed: swim_threads.ThreadNode) -> list[Member]:
    return [member for member in seed.members() if member.metadata.get("role") in ("shop", "celery", "worker")]


# ------------------------------------------------------------------ one node for each process


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_first_use_opens_a_node_and_a_fork_has_one_of_its_own() -> None:
    nodes = NodePerProcess(lambda: {"bind": HERE, "config": CONFIG})
    assert not nodes.opened
    mine = nodes()
    assert nodes() is mine
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            opened, theirs = nodes.opened, nodes()
            os.write(writer, f"{opened} {theirs.local.address} {theirs.local.name}".encode())
            nodes.close()
        finally:
            os._exit(0)
    told = os.read(reader, 1000).decode()
    os.waitpid(pid, 0)
    os.close(reader)
    os.close(writer)
    assert re.fullmatch(r"False 127\.0\.0\.1:\d+ \S+", told)
    assert told.split()[1] != str(mine.local.address)
    assert nodes() is mine
    nodes.close()
    nodes.close()
    assert nodes() is not mine
    nodes.close()


def test_one_that_can_not_be_opened_is_tried_again() -> None:
    with swim_threads.open_node(HERE) as other:
        nodes = NodePerProcess(lambda: {"bind": other.local.address})
        with pytest.raises(BindError):
            nodes()
    nodes()
    nodes.close()


# ------------------------------------------------------------------ Starlette and FastAPI

NINE_LINES = """
from fastapi import Depends, FastAPI
from swim_anyio.contrib.starlette import lifespan, the_node

app = FastAPI(lifespan=lifespan(bind="127.0.0.1:0"))

@app.get("/members")
async def members(node=Depends(the_node)):
    return [member.to_dict() for member in node.members()]
"""


async def served(app: Any, *paths: str) -> list[Any]:
    """An app's answers to requests, while its lifespan runs as under a server."""
    import httpx

    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "state": dict(state)}, receive, send)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(with_state), base_url="http://app") as client:
            return [(await client.get(path)).json() for path in paths]


def test_from_nothing_to_members_in_an_endpoint_in_under_ten_lines() -> None:
    pytest.importorskip("fastapi")
    assert len(NINE_LINES.strip().splitlines()) < 10
    namespace: dict[str, Any] = {}
    exec(NINE_LINES, namespace)
    for _ in range(2):  # as an app's own tests do
        ((member,),) = asyncio.run(served(namespace["app"], "/members"))
        assert member["state"] == "alive"
    assert not hasattr(namespace["app"].state, "swim_node")


def test_without_the_lifespan_the_error_says_what_to_do() -> None:
    requests = pytest.importorskip("starlette.requests")
    from swim_anyio.contrib.starlette import the_node

    with pytest.raises(LookupError, match=r"lifespan=swim_anyio.contrib.starlette.lifespan\(\)"):
        the_node(requests.HTTPConnection({"type": "http", "headers": []}))


def test_what_the_app_or_its_own_lifespan_raises_comes_out_as_it_is() -> None:
    pytest.importorskip("starlette")
    from contextlib import asynccontextmanager

    from swim_anyio.contrib.starlette import lifespan

    @asynccontextmanager
    async def broken(app: Any) -> Any:
        assert app.state.swim_node.members()
        raise ZeroDivisionError
        yield

    async def run(**arguments: Any) -> None:
        app = type("App", (), {"state": type("State", (), {})()})()
        async with lifespan(**arguments)(app):
            pass

    with pytest.raises(ZeroDivisionError):
        asyncio.run(run(inner=broken, bind=HERE))
    with pytest.raises(TypeError, match="bnid"):
        asyncio.run(run(bnid=HERE))


# ------------------------------------------------------------------ Flask


def test_the_flask_extension_reads_the_configuration_of_its_app(seed: swim_threads.ThreadNode) -> None:
    flask = pytest.importorskip("flask")
    from swim_threads.contrib.flask import Swim

    swim = Swim(config=CONFIG)
    apps = [flask.Flask(name) for name in ("one", "two")]
    for app in apps:
        app.config["SWIM_NAME"], app.config["SWIM_JOIN"] = app.name, seed.local.address
        app.config["SWIM_BIND"] = "127.0.0.1:0"
        swim.init_app(app)
        app.get("/names")(lambda: [member.name for member in swim.node.members()])
    assert [member.name for member in seed.members()] == ["seed"]  # making an app opens nothing
    for app in apps:
        assert app.name in (app.test_client().get("/names").json or [])
    seed.wait_for_members(3, PATIENCE)
    with pytest.raises(RuntimeError, match="application context"):
        swim.node.members()
    for app in apps:
        swim.close(app)
    wait_until(lambda: len(seed.members()) == 1)


def test_mistakes_in_the_use_of_the_flask_extension() -> None:
    flask = pytest.importorskip("flask")
    from swim_threads.contrib.flask import Swim

    with pytest.raises(ConfigError, match="Swim: open_node has no argument 'bnid'"):
        Swim(bnid="127.0.0.1:0")
    app = flask.Flask("shop")
    Swim(app)
    with pytest.raises(ConfigError, match="has a Swim already"):
        Swim(app)


@processes
def test_gunicorn_preloads_and_each_worker_is_a_member(
    start: Start, seed: swim_threads.ThreadNode, tmp_path: Path
) -> None:
    pytest.importorskip("flask")
    pytest.importorskip("gunicorn")
    command = [sys.executable, "-m", "gunicorn", "--preload", "-c", str(EXAMPLES["flask_app"]), "--chdir", FOLDER]
    options = ("--bind", "127.0.0.1:0", "flask_app:app")
    server = start("flask_app", *options, command=command, **joining(seed), HOME=str(tmp_path))
    page = server.wait_for(r"Listening at: (\S+)")[1]
    wait_until(lambda: len(shops(seed)) == 2)  # the master isn't a member, and no request was needed
    before = {member.name for member in shops(seed)}
    wait_until(lambda: len(fetch(f"{page}/members")) == 3)
    server.process.send_signal(signal.SIGHUP)  # new workers, then the old ones end
    wait_until(lambda: len(shops(seed)) == 2 and not before & {member.name for member in shops(seed)})
    with seed.subscribe() as events:
        server.end(signal.SIGTERM)
        assert {type(events.get(PATIENCE)) for _ in range(2)} == {MemberLeft}


@processes
def test_without_hooks_a_worker_joins_with_its_first_request_and_says_goodbye(
    start: Start, seed: swim_threads.ThreadNode, tmp_path: Path
) -> None:
    pytest.importorskip("flask")
    pytest.importorskip("gunicorn")
    command = [sys.executable, "-m", "gunicorn", "--preload", "--chdir", FOLDER, "--bind", "127.0.0.1:0"]
    server = start("flask_app", "flask_app:app", command=command, **joining(seed), HOME=str(tmp_path))
    page = server.wait_for(r"Listening at: (\S+)")[1]
    server.wait_for("Booting worker")
    assert shops(seed) == []
    fetch(f"{page}/members")
    wait_until(lambda: len(shops(seed)) == 1)
    with seed.subscribe() as events:
        server.end(signal.SIGTERM)
        assert isinstance(events.get(PATIENCE), MemberLeft)


@processes
def test_of_the_two_processes_of_flasks_reloader_one_is_a_member(
    start: Start, seed: swim_threads.ThreadNode, tmp_path: Path
) -> None:
    pytest.importorskip("flask")
    (tmp_path / "shop.py").write_text((DOCS / "examples" / "flask_app.py").read_text())
    command = [sys.executable, "-m", "flask", "--app", str(tmp_path / "shop.py"), "run", "--debug", "--port", "0"]
    server = start("flask_app", command=command, **joining(seed))
    page = server.wait_for(r"Running on (http://\S+)")[1]
    wait_until(lambda: len(fetch(f"{page}/members")) == 2)
    (first,) = shops(seed)
    before = len(server.errors)
    (tmp_path / "shop.py").write_text((DOCS / "examples" / "flask_app.py").read_text() + "# touched\n")
    wait_until(lambda: any("Restarting" in line for line in server.errors[before:]))
    wait_until(lambda: answers(f"{page}/members"))
    wait_until(lambda: [member.name for member in shops(seed)] not in ([], [first.name]) and len(shops(seed)) == 1)
    end_group(server)


def answers(url: str) -> bool:
    try:
        fetch(url)
    except OSError:
        return False
    return True


def end_group(server: Example) -> None:
    """The reloader's parent ends, and takes its child with it."""
    server.process.send_signal(signal.SIGINT)
    server.process.wait(PATIENCE)


# ------------------------------------------------------------------ Django


@pytest.fixture
def free_port() -> int:
    """A port for a server that doesn't say which one it chose."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@processes
@pytest.mark.parametrize("options", [[], ["--noreload"]], ids=["reloader", "without"])
def test_of_djangos_processes_the_one_that_serves_is_a_member(
    options: list[str], start: Start, seed: swim_threads.ThreadNode, free_port: int
) -> None:
    pytest.importorskip("django")
    command = [sys.executable, str(EXAMPLES["django_app"]), "runserver", *options, f"127.0.0.1:{free_port}"]
    server = start("django_app", command=command, **joining(seed))
    wait_until(lambda: answers(f"http://127.0.0.1:{free_port}/members"))
    seed.wait_for_members(2, PATIENCE)
    (shop,) = shops(seed)
    serves = str(server.process.pid)
    assert (shop.metadata["parent"] == serves) == (not options)  # with the reloader it is a child of this process
    server.process.send_signal(signal.SIGINT)
    server.process.wait(PATIENCE)
    wait_until(lambda: shops(seed) == [])


@processes
def test_a_command_of_djangos_makes_no_member_and_a_mistake_in_the_settings_is_seen_at_the_start() -> None:
    pytest.importorskip("django")
    program = (
        "import django, sys; from django.conf import settings; from django.core.management import call_command\n"
        "settings.configure(INSTALLED_APPS=['swim_threads.contrib.django'], SWIM={})\n"
        "django.setup(); call_command('check'); from swim_threads.contrib.django import node; print(node.opened)"
    )
    for configured, expected in (("{}", "False"), ("{'bnid': 5}", "settings.SWIM: open_node has no argument 'bnid'")):
        code = program.replace("SWIM={}", f"SWIM={configured}")
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE)
        assert expected in done.stdout + done.stderr
        assert (done.returncode == 0) == (expected == "False")


# ------------------------------------------------------------------ Celery


@processes
@pytest.mark.parametrize("pool", [pytest.param("solo", marks=pytest.mark.slow), "prefork"])
def test_a_celery_worker_is_a_member_until_it_stops(
    pool: str, start: Start, seed: swim_threads.ThreadNode, tmp_path: Path
) -> None:
    pytest.importorskip("celery")
    options = (
        "-A",
        "celery_workers",
        "--workdir",
        FOLDER,
        "worker",
        "-n",
        "one@here",
        "-P",
        pool,
        "-c",
        "2",
        "-l",
        "INFO",
    )
    flags = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    command = [sys.executable, "-m", "celery", *options, *flags]
    worker = start("celery_workers", command=command, **joining(seed))
    seed.wait_for_members(2, PATIENCE)
    (member,) = shops(seed)
    assert member.metadata["worker"] == "one@here"
    worker.wait_for("ready")
    with seed.subscribe() as events:
        worker.end(signal.SIGTERM)
        assert isinstance(events.get(PATIENCE), MemberLeft)


@processes
def test_a_celery_worker_whose_node_cannot_be_opened_says_why(start: Start, seed: swim_threads.ThreadNode) -> None:
    pytest.importorskip("celery")
    command = [sys.executable, "-m", "celery", "-A", "celery_workers", "--workdir", FOLDER, "worker", "-P", "solo"]
    worker = start("celery_workers", command=command, SWIM_BIND=str(seed.local.address))
    worker.wait_for("is in use: choose another port")
    assert worker.process.wait(PATIENCE) != 0
