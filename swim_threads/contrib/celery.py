"""A Celery bootstep: each worker is a member from the time when it is ready until it stops.

    app = Celery("shop")
    app.conf.swim = {"bind": "127.0.0.1:0", "join": "127.0.0.1:7946"}  # arguments of open_node; default: SWIM_*
    app.steps["worker"].add(SwimStep)

The member is the worker's main process; its metadata say which worker it is. The children of the prefork pool, in which
tasks run, have no node, since they come and go: a task that needs the members asks `node`, which in a child opens one
of its own. Workers on one host need ports of their own: bind port 0, and join a seed that is none of them.
"""

from typing import Any

from celery import bootsteps, current_app

from swim_threads.contrib.per_process import NodePerProcess, checked

__all__ = ["SwimStep", "node"]

_worker: dict[str, str] = {}


def _arguments() -> dict[str, Any]:
    arguments = checked(current_app.conf.get("swim") or {}, "app.conf.swim")
    return {**arguments, "metadata": {"role": "celery", **_worker, **(arguments.get("metadata") or {})}}


node = NodePerProcess(_arguments)
"""``node()`` is the node of this process, opened if there is none yet."""


class SwimStep(bootsteps.StartStopStep):
    """Add it to ``app.steps["worker"]``. A node that can't be opened ends the worker, with the reason."""

    requires = ("celery.worker.components:Pool",)

    def start(self, parent: Any) -> None:
        """Join, now that the pool exists."""
        _worker["worker"] = parent.hostname
        node()

    def stop(self, parent: Any) -> None:
        """Leave before the pool ends its tasks, so that those who choose workers from the list of members give it no
        further ones."""
        node.close()

    def terminate(self, parent: Any) -> None:
        """As `stop`, when there is no time to finish tasks."""
        node.close()
