"""The moments when a socket of ours exists and no Python code knows of it yet."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from support.forking import forked
from support.waiting import SOON
from swim_threads.sockets import owned
from swim_threads.sockets.owned import Socket, pair

pytestmark = [pytest.mark.sockets, pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")]


def another_thread_could_fork() -> bool:
    """Whether the hook before a fork would let it through just now."""
    answers: list[bool] = []

    def ask() -> None:
        if owned._changing.acquire(blocking=False):
            owned._changing.release()
            answers.append(True)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return bool(answers)


def watched(monkeypatch: pytest.MonkeyPatch, name: str, look: Callable[[], Any]) -> list[Any]:
    """What ``look`` says right after the method of that name of any socket has done its work."""
    real, seen = getattr(socket.socket, name), []

    def method(sock: socket.socket, *arguments: Any, **keywords: Any) -> Any:
        result = real(sock, *arguments, **keywords)
        seen.append(look())
        return result

    monkeypatch.setattr(socket.socket, name, method)
    return seen


def test_a_fork_waits_while_a_socket_is_made_or_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = watched(monkeypatch, "__init__", another_thread_could_fork)
    closed = watched(monkeypatch, "close", another_thread_could_fork)
    assert another_thread_could_fork()
    with Socket(socket.AF_INET, socket.SOCK_DGRAM):
        assert (made, closed) == ([False], [])
    one, other = pair()
    one.close()
    other.close()
    with Socket(socket.AF_INET, socket.SOCK_STREAM) as listener, socket.socket() as caller:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        caller.connect(listener.getsockname())
        made.clear()
        accepted, _ = listener.accept()
        accepted.close()
        assert made
        assert not any(made)
        closed.clear()
    assert not any(closed[1:])  # the first is the caller's, which isn't ours
    assert another_thread_could_fork()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # from Python 3.12 on
def test_a_signal_handler_may_fork_in_the_midst_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def forked_now() -> str:
        return next(iter(forked() & {f"socket:[{os.fstat(latest()).st_ino}]"}), "none of ours")

    def latest() -> int:
        return max(sock.fileno() for sock in list(owned._owned))

    held = watched(monkeypatch, "__init__", forked_now)
    with Socket(socket.AF_INET, socket.SOCK_DGRAM):
        assert held == ["none of ours"]
    assert another_thread_could_fork()


BEGUN = """
import os
os.register_at_fork(before=lambda: __import__("swim_threads.sockets.owned"))
if (pid := os.fork()) == 0:
    os._exit(0)
os.waitpid(pid, 0)
"""


@pytest.mark.processes
def test_a_fork_that_has_begun_when_this_is_imported_prints_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", BEGUN], capture_output=True, text=True, timeout=SOON, check=True)
    assert done.stderr == ""
