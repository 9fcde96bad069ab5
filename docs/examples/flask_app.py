"""A Flask app whose processes are members, by the extension: also under gunicorn, preloaded or not.

    pip install flask gunicorn; cd docs/examples
    swim agent --name seed                                                                      # first terminal
    SWIM_BIND=127.0.0.1:0 SWIM_JOIN=127.0.0.1:7946 gunicorn --preload -c flask_app.py flask_app:app   # second
    curl localhost:8000/members; curl -X POST localhost:8000/hello                              # third

The extension opens a node for each process, not for each application: the master that preloads and forks has none, and
neither has the parent of `flask run --debug`. Without the hooks below a worker joins with its first request.
"""

from typing import Any

from flask import Flask, Response, jsonify

from swim_threads import BroadcastReceived, Member, State, on_broadcast, on_status
from swim_threads.contrib.flask import Swim


def report(member: Member, state: State) -> None:
    """Called in a thread of the node's own, in each worker."""
    print(f"{member.name} is {state}", flush=True)


def heard(broadcast: BroadcastReceived) -> None:
    """The same, with what another worker has to say."""
    print(f"{broadcast.origin.name} says {broadcast.payload.decode()}", flush=True)


app = Flask(__name__)
app.config.from_prefixed_env("APP")  # APP_SWIM_JOIN and so on, if you want them here and not from SWIM_JOIN
swim = Swim(app, metadata={"role": "shop"}, listeners=[on_status(report), on_broadcast(heard)])


@app.get("/members")
def members() -> Response:
    """Everybody, in the view of this worker."""
    return jsonify([member.to_dict() for member in swim.node.members()])


@app.post("/hello")
def hello() -> tuple[str, int]:
    """Tell all others."""
    swim.node.broadcast(b"hello")
    return "", 204


# gunicorn reads this file as its configuration, too, and finds its settings by their names

bind = "127.0.0.1:8000"
workers = 2


def post_worker_init(worker: Any) -> None:
    """In each worker, after the fork: don't wait for the first request."""
    swim.open(worker.wsgi)


def worker_exit(server: object, worker: Any) -> None:
    """In each worker that ends: don't wait for the end of the process."""
    swim.close(worker.wsgi)


if __name__ == "__main__":
    print(__doc__)
