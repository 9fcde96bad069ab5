"""The first release and the present one in one cluster: what the first one can't know harms neither.

The commit is named in `first_release.txt` (a tag may not travel with a clone). Its wheel is built once a session.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from support.paths import ROOT
from support.waiting import wait_until
from swim_core import Key

pytestmark = [pytest.mark.slow, pytest.mark.processes, pytest.mark.sockets, pytest.mark.timeout(600)]

COMMIT = (Path(__file__).parent / "first_release.txt").read_text().split()[0]
PROGRAM = """
import json, os, sys
import swim_threads
from swim_core import BroadcastReceived, Config, MemberDied, MemberJoined, MemberLeft
config = Config.lan(probe_interval=0.25, stall_tolerance=3.0, **json.loads(os.environ["SETTINGS"]))
def say(*what):
    sys.stdout.write(json.dumps(what) + "\\n")  # at once: two threads say something
    sys.stdout.flush()
with swim_threads.open_node("127.0.0.1:0", name=sys.argv[1], join=sys.argv[2:], config=config) as node:
    node.add_listener(lambda event: say(
        type(event).__name__,
        getattr(getattr(event, "member", None) or getattr(event, "origin", None), "name", None),
    ), current=True)
    say("Listening", str(node.local.address))
    for line in sys.stdin:
        node.broadcast(line.strip().encode())
"""


def has_commit() -> bool:
    found = subprocess.run(["git", "cat-file", "-e", COMMIT], cwd=ROOT, capture_output=True, check=False)
    return found.returncode == 0


@pytest.fixture(scope="session")
def first_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the first release in it."""
    if not has_commit():
        pytest.skip("not a clone with the history of the first release")
    folder = tmp_path_factory.mktemp("first")
    subprocess.run(["git", "clone", "-q", "--no-checkout", ROOT, folder / "source"], check=True)
    subprocess.run(["git", "checkout", "-q", COMMIT], cwd=folder / "source", check=True)
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", folder / "source"], check=True)
    return python


class Member:
    """A process of one release that prints what it sees."""

    def __init__(self, process: "subprocess.Popen[str]", said: Path) -> None:
        self.process = process
        self._said = said

    @property
    def said(self) -> list[list[str]]:
        lines = self._said.read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines]

    @property
    def address(self) -> str:
        wait_until(lambda: any(kind == "Listening" for kind, _ in self.said))
        return next(what for kind, what in self.said if kind == "Listening")

    def say(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def saw(self, kind: str, name: str) -> int:
        return sum(said == [kind, name] for said in self.said)


@contextmanager
def member(python: Path, name: str, folder: Path, *seeds: str, key: Key | None = None) -> Iterator[Member]:
    """With a key it takes plain datagrams too; the first release knows neither."""
    said = folder / name
    given = {} if key is None else {"SWIM_KEY": key.reveal()}
    settings = json.dumps({} if key is None else {"plain": "accept"})
    with said.open("w") as output:
        process = subprocess.Popen(
            [python, "-c", PROGRAM, name, *seeds],
            stdin=subprocess.PIPE,
            stdout=output,
            text=True,
            cwd=folder,
            env={**os.environ, "SETTINGS": settings, **given},
        )
    with process:
        try:
            yield Member(process, said)
        finally:
            process.kill()


@pytest.mark.parametrize("key", [None, Key(bytes(range(32)))], ids=["plain", "keyed"])
def test_two_releases_in_one_cluster(first_release: Path, tmp_path: Path, key: Key | None) -> None:
    """Those of now have a key, too, and take plain datagrams: the first pass of going from plain to sealed."""
    now = Path(sys.executable)
    with ExitStack() as stack:
        members: dict[str, Member] = {}
        for number, python in enumerate([first_release, now, first_release, now, first_release, now]):
            seeds = [members["m0"].address] if members else []
            given = key if python is now else None
            members[f"m{number}"] = stack.enter_context(member(python, f"m{number}", tmp_path, *seeds, key=given))
        for name, one in members.items():
            for other in members:
                if other != name:
                    wait_until(partial(one.saw, "MemberJoined", other))
        for name in ("m0", "m1"):
            members[name].say("hello")
        for name, one in members.items():
            for origin in {"m0", "m1"} - {name}:
                wait_until(partial(one.saw, "BroadcastReceived", origin))
        for victim in ("m4", "m5"):  # one of each
            members.pop(victim).process.kill()
            for one in members.values():
                wait_until(partial(one.saw, "MemberDied", victim))
        for one in members.values():
            assert not [said for said in one.said if said[0] == "MemberDied" and said[1] in members]
            assert one.saw("BroadcastReceived", "m0") <= 1
            assert one.saw("BroadcastReceived", "m1") <= 1
