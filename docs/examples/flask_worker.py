"""A threaded Flask worker with a cache that all workers keep fresh together.

    python docs/examples/flask_worker.py --port 8000                                            # first terminal
    python docs/examples/flask_worker.py --port 8001 --bind 127.0.0.1:0 --join 127.0.0.1:7946   # second
    curl localhost:8000/price/tea; curl localhost:8001/price/tea; curl -X POST localhost:8000/price/tea/changed

Every worker keeps prices that it has looked up. When one changes, a broadcast makes all of them forget it, and the
next request looks it up again. Listeners are called in a thread of their own. Ctrl-C leaves the cluster.
"""

import argparse
import sys
import time
from collections.abc import Sequence

from flask import Flask

import swim_threads
from swim_core import BroadcastReceived, BroadcastsLost, Event, Member, Reconnected, State, SwimError

Prices = dict[str, str]  # what single threads do to a dict happens at once: no lock is needed here


def look_up(item: str) -> str:
    """Ask the slow database of a real shop; here, tell when it was asked."""
    return f"{item}, looked up at {time.strftime('%H:%M:%S')}"


def keep_fresh(node: swim_threads.ThreadNode, prices: Prices) -> None:
    """Forget prices that others report as changed, and all prices when a report may have been missed."""

    def forget(broadcast: BroadcastReceived) -> None:
        kind, _, item = broadcast.payload.decode(errors="replace").partition(" ")
        if kind == "changed":
            prices.pop(item, None)

    def forget_all(event: Event) -> None:
        if isinstance(event, BroadcastsLost | Reconnected):
            prices.clear()

    def report(member: Member, state: State) -> None:
        print(f"{member.name} is {state.name.lower()}")

    node.add_broadcast_listener(forget)
    node.add_listener(forget_all)
    node.add_status_listener(report)


def create_app(node: swim_threads.ThreadNode, prices: Prices) -> Flask:
    """The web side. A node of swim_threads may be used from any thread, so also from those of requests."""
    app = Flask(__name__)

    @app.get("/price/<item>")
    def price(item: str) -> str:
        if item not in prices:
            prices[item] = look_up(item)
        return prices[item] + "\n"

    @app.post("/price/<item>/changed")
    def changed(item: str) -> tuple[str, int]:
        prices.pop(item, None)  # a broadcast goes to the others
        try:
            node.broadcast(f"changed {item}".encode())
        except SwimError as error:  # too long a name, or more than the network takes
            return f"{error}\n", 503
        return "", 204

    @app.get("/members")
    def members() -> list[str]:
        return [f"{member.name} {member.address} {member.state.name}" for member in node.members()]

    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000, help="of the web server (8000)")
    parser.add_argument("--bind", help="HOST:PORT of the node; port 0 takes a free one (127.0.0.1:7946)")
    parser.add_argument("--join", help="HOST:PORT of a member")
    options = parser.parse_args(arguments)
    try:
        # No reloader: it would run this twice, and the second node would find the port in use.
        with swim_threads.open_node(options.bind, join=options.join, metadata={"role": "shop"}) as node:
            prices: Prices = {}
            keep_fresh(node, prices)
            create_app(node, prices).run(port=options.port, threaded=True)  # until Ctrl-C
    except KeyboardInterrupt:
        pass
    except SwimError as error:
        sys.exit(f"flask_worker: {error}")


if __name__ == "__main__":
    main()
