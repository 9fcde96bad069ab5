"""A web server under gevent that says who is there, without monkey patching and without another thread.

    pip install gevent
    python docs/examples/gevent_service.py --port 8000                                            # first terminal
    python docs/examples/gevent_service.py --port 8001 --bind 127.0.0.1:0 --join 127.0.0.1:7946   # second
    curl localhost:8001

A greenlet reads the node's socket and lets its time pass, so no greenlet may keep the loop busy for seconds. Ctrl-C
leaves the cluster.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Iterable, Sequence

import gevent
from gevent.pywsgi import WSGIServer

from swim_threads import Event, MemberDied, MemberJoined, MemberLeft, SwimError
from swim_threads.contrib.gevent import GeventNode


def report(event: Event) -> None:
    """Called with each event in a greenlet of its own, so it may wait."""
    if isinstance(event, MemberJoined | MemberLeft | MemberDied):
        print(event, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000, help="of the web server (8000)")
    parser.add_argument("--bind", help="HOST:PORT of the node; port 0 takes a free one (127.0.0.1:7946)")
    parser.add_argument("--join", help="HOST:PORT of a member, numeric")
    options = parser.parse_args(arguments)

    def application(environ: object, start_response: Callable[..., object]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{member.name} {member.address} {member.state}\n".encode() for member in node.members()]

    try:
        with GeventNode(options.bind, join=options.join, on_event=report) as node:
            server = WSGIServer(("127.0.0.1", options.port), application, log=None)
            server.start()
            print(f"serving on port {server.server_port}, the node is at {node.local.address}", flush=True)
            for number in (signal.SIGINT, signal.SIGTERM):
                gevent.signal_handler(number, server.stop)
            server.serve_forever()
            node.leave()
    except OSError as error:  # a BindError of the node's is one
        sys.exit(f"gevent_service: {error}")
    except SwimError as error:
        sys.exit(f"gevent_service: {error}")


if __name__ == "__main__":
    main()
