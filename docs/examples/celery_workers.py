"""Celery workers that are members, by the bootstep `swim_threads.contrib.celery`; a web server sees who can work.

    pip install "celery[redis]"; cd docs/examples
    export BROKER=redis://
    SWIM_BIND=127.0.0.1:7946 celery -A celery_workers worker -n one                              # first terminal
    SWIM_BIND=127.0.0.1:0 SWIM_JOIN=127.0.0.1:7946 celery -A celery_workers worker -n two        # second
    swim members                                                                                 # third

Each worker's main process is a member. Kill one with `kill -9`: `swim members` shows it within a second, long before
Celery's own heartbeats do. A warm shutdown leaves before the last tasks are done.
"""

import os

from celery import Celery

from swim_threads.contrib.celery import SwimStep, node

app = Celery("celery_workers", broker=os.environ.get("BROKER", "memory://"))
app.conf.swim = {"metadata": {"role": "worker"}}  # all arguments of open_node can stand here
app.steps["worker"].add(SwimStep)


@app.task
def who() -> list[str]:
    """A task that asks for the members. In a child of the prefork pool this opens a node of its own (bind port 0)."""
    return [member.name for member in node().members()]


if __name__ == "__main__":
    print(__doc__)
