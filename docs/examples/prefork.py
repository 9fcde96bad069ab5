"""Prefork workers, as under gunicorn: a node for each worker, opened after the fork.

    swim agent --name seed                                       # first terminal
    python docs/examples/prefork.py --join 127.0.0.1:7946        # second: two workers behind one port
    curl localhost:8000                                          # third, or try kill -9 on a worker

Under gunicorn this same file is both the application and the configuration, whose hooks open and close the nodes:

    SWIM_JOIN=127.0.0.1:7946 gunicorn -c docs/examples/prefork.py --chdir docs/examples prefork:application

**Don't open a node before the fork**, for example at the top of a module with `--preload`. Parent and children would
share one socket, and each datagram would go to whichever of them reads first. A thread doesn't survive a fork, so
nothing in the child would answer. And a socket that children hold open would hide the parent's crash from the others.
So a node that a child inherits closes its copy of the socket at once, and raises NotRunning when it is used.

Each worker binds port 0, since one port can't serve two nodes, and joins a seed that is not a worker.
"""

import argparse
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import swim_threads
from swim_core import SwimError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


class Application:
    """A WSGI application that lists the members, and is a member itself in each worker."""

    node: swim_threads.ThreadNode | None = None

    def open_node(self, join: str | None = None) -> None:
        """Become a member; for the worker to call, after the fork. Without ``join``, SWIM_JOIN says whom to join."""
        metadata = {"role": "worker", "pid": str(os.getpid())}
        self.node = swim_threads.open_node("127.0.0.1:0", join=join, metadata=metadata)

    def close_node(self) -> None:
        """Say goodbye; for the worker to call, at its end."""
        if self.node is not None:
            self.node.close()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Serve one request."""
        start_response("200 OK", [("Content-Type", "text/plain")])
        members = self.node.members() if self.node is not None else ()
        return [f"{member.name} {member.address} {member.metadata.get('pid', '')}\n".encode() for member in members]


application = Application()


# ------------------------------------------------------------------ gunicorn: settings and hooks, found by their names

bind = "127.0.0.1:8000"
workers = 2


class Worker(Protocol):
    """What the hooks use of a gunicorn worker: the application, as it was loaded in this process."""

    wsgi: Application


def post_worker_init(worker: Worker) -> None:
    """Gunicorn calls this in each worker, after the fork."""
    worker.wsgi.open_node()


def worker_exit(server: object, worker: Worker) -> None:
    """Gunicorn calls this in each worker that ends."""
    worker.wsgi.close_node()


# ------------------------------------------------------------------ without gunicorn: the same, made by hand


class Server(WSGIServer):
    """Serves a port that another process has opened."""

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(listener.getsockname(), WSGIRequestHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_name, self.server_port = listener.getsockname()
        self.setup_environ()
        self.set_app(application)


def start_worker(listener: socket.socket, join: str | None) -> int:
    """Fork a worker; returns its process id."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        work(listener, join)
        status = 0
    except SwimError as error:
        print(f"prefork: {error}", file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)  # what the parent would do at its end is not the child's to do


def work(listener: socket.socket, join: str | None) -> None:
    """Serve until SIGTERM. Ctrl-C reaches all processes of a terminal, but it is the parent who acts on it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # until there is a node that can say goodbye
    try:
        application.open_node(join)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        Server(listener).serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        application.close_node()


def supervise(listener: socket.socket, join: str | None) -> None:
    """Keep the workers running until Ctrl-C or SIGTERM; then end them all."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # raises KeyboardInterrupt; the workers inherit it
    pids: set[int] = set()
    try:
        while True:
            while len(pids) < workers:
                pids.add(start_worker(listener, join))
            pid, _ = os.wait()
            pids.remove(pid)
            time.sleep(0.5)  # one that can't start would otherwise be forked without pause
    except KeyboardInterrupt:
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        for pid in pids:
            os.waitpid(pid, 0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000, help="of the web server (8000)")
    parser.add_argument("--join", help="HOST:PORT of a member; default SWIM_JOIN")
    options = parser.parse_args(arguments)
    try:
        with socket.create_server(("127.0.0.1", options.port)) as listener:
            listener.setblocking(False)  # all workers wake for a connection, one gets it, the others wait on
            print(f"{workers} workers serve http://127.0.0.1:{listener.getsockname()[1]}")
            sys.stdout.flush()  # before the fork, or each child would print it again
            supervise(listener, options.join)
    except KeyboardInterrupt:  # a second Ctrl-C: the workers end on their own
        pass
    except OSError as error:
        sys.exit(f"prefork: {error.strerror}")


if __name__ == "__main__":
    main()
