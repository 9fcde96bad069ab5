"""Servers with several workers, run as in production: each worker is a member of its own."""

import json
import os
import signal
import sys
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import swim_threads
from support.example import EXAMPLES, PATIENCE, Start, joining
from support.paths import DOCS
from support.waiting import HERE, wait_until
from swim_core import Member, MemberLeft

FOLDER = str(DOCS / "examples")
UVICORN = [sys.executable, "-m", "uvicorn", "--app-dir", FOLDER, "--port", "0", "--workers", "2", "fastapi_app:app"]
UWSGI = Path(sys.executable).parent / "uwsgi"

pytestmark = [pytest.mark.slow, pytest.mark.sockets, pytest.mark.processes]
needs_uvicorn = pytest.mark.skipif(find_spec("uvicorn") is None or find_spec("fastapi") is None, reason="needs uvicorn")


def workers(seed: swim_threads.ThreadNode) -> list[Member]:
    return [member for member in seed.members() if member.name != "seed"]


def fetch(url: str, body: bytes | None = None) -> Any:
    with urllib.request.urlopen(url, body, timeout=PATIENCE) as answer:
        return json.load(answer)


@needs_uvicorn
def test_each_of_uvicorns_workers_is_a_member_and_says_goodbye(start: Start, seed: swim_threads.ThreadNode) -> None:
    server = start("fastapi_app", command=UVICORN, **joining(seed))
    page = server.wait_for(r"running on (http://\S+)")[1]
    wait_until(lambda: len(workers(seed)) == 2)
    wait_until(lambda: len(fetch(f"{page}/members")) == 3)
    with seed.subscribe() as events:
        server.end(signal.SIGTERM)
        assert {type(events.get(PATIENCE)) for _ in range(2)} == {MemberLeft}


@needs_uvicorn
def test_a_worker_of_uvicorn_that_is_killed_is_started_again_as_another_member(
    start: Start, seed: swim_threads.ThreadNode
) -> None:
    server = start("fastapi_app", command=UVICORN, **joining(seed))
    pid = int(server.wait_for(r"Started server process \[(\d+)\]")[1])
    wait_until(lambda: len(workers(seed)) == 2)
    before = {member.name for member in workers(seed)}
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(workers(seed)) == 2 and len(before & {member.name for member in workers(seed)}) == 1)
    server.end(signal.SIGTERM)


@needs_uvicorn
def test_a_name_for_all_workers_is_a_mistake_that_is_said_where_no_log_is_set_up(
    start: Start, seed: swim_threads.ThreadNode
) -> None:
    server = start("fastapi_app", command=UVICORN, SWIM_NAME="shop", **joining(seed))
    server.wait_for("shop: another process at .* has the same name: .* needs a name of its own")
    assert [member.name for member in workers(seed)] == ["shop"]
    server.end(signal.SIGTERM)


@needs_uvicorn
def test_a_port_for_all_workers_ends_the_server_with_the_reason(start: Start, seed: swim_threads.ThreadNode) -> None:
    with swim_threads.open_node(HERE) as other:
        address = str(other.local.address)
    server = start("fastapi_app", command=UVICORN, **{**joining(seed), "SWIM_BIND": address})
    server.wait_for(f"{address} is in use: choose another port, or port 0")
    server.process.wait(PATIENCE)
    wait_until(lambda: workers(seed) == [])


@pytest.mark.skipif(not UWSGI.exists() or find_spec("flask") is None, reason="needs uwsgi")
def test_each_of_uwsgis_workers_is_a_member(start: Start, seed: swim_threads.ThreadNode) -> None:
    options = ["--master", "--enable-threads", "--processes", "2", "--die-on-term", "--need-app"]
    options += ["--http-socket", "127.0.0.1:0", "--chdir", FOLDER, "--wsgi-file", str(EXAMPLES["flask_app"])]
    server = start("flask_app", command=[str(UWSGI), *options, "--callable", "app"], **joining(seed))
    page = server.wait_for(r"bound to TCP address (127\S+)")[1]
    server.wait_for("spawned uWSGI worker 2")
    asked = []

    def ask() -> bool:
        asked.append(fetch(f"http://{page}/members"))
        return len(workers(seed)) == 2

    wait_until(ask)  # each once it had its first request
    # within a request a worker would end without Python's exit handlers
    wait_until(lambda: sum("GET /members" in line for line in server.errors) == len(asked))
    with seed.subscribe() as events:
        server.process.send_signal(signal.SIGTERM)
        assert {type(events.get(PATIENCE)) for _ in range(2)} == {MemberLeft}
    server.process.wait(PATIENCE)
