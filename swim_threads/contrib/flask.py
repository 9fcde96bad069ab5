"""A Flask extension: each process of an application is a member.

    app = Flask(__name__)
    swim = Swim(app)

    @app.get("/members")
    def members():
        return [member.to_dict() for member in swim.node.members()]

A process becomes a member with its first request. So the parent of the reloader, ``flask`` commands and a server that
preloads the application are none. To have workers become members as they start, let gunicorn's ``post_worker_init``
call `Swim.open`. Processes on one host need ports of their own: bind port 0, and join a seed that is none of them.
"""

from typing import Any

from flask import Flask, current_app

from swim_core import ConfigError
from swim_threads.contrib.per_process import ARGUMENTS, NodePerProcess, checked
from swim_threads.node import ThreadNode

__all__ = ["Swim"]

KEY = "swim"  # in `Flask.extensions`


class Swim:
    """The extension. It may serve several applications, each of which has nodes of its own."""

    def __init__(self, app: Flask | None = None, **arguments: Any) -> None:
        """Take the arguments of `open_node`. ``app.config["SWIM_BIND"]`` and so on provide those that are not given.

        Raises:
            ConfigError: if there is no such argument.
        """
        self._arguments = checked(arguments, "Swim")
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Make ``app`` a member. Its configuration is read when a node is opened.

        Raises:
            ConfigError: if it is one already.
        """
        if KEY in app.extensions:
            raise ConfigError("this application has a Swim already: use app.extensions['swim']")

        def arguments() -> dict[str, Any]:
            configured = {name: app.config.get(f"SWIM_{name.upper()}") for name in ARGUMENTS}
            return {name: value for name, value in configured.items() if value is not None} | self._arguments

        app.extensions[KEY] = nodes = NodePerProcess(arguments)

        @app.before_request
        def open_first() -> None:
            nodes()

    @property
    def node(self) -> ThreadNode:
        """The node of this process and of the current application; opens one if there is none yet, as `open_node` does.

        Raises:
            RuntimeError: outside the context of an application.
        """
        return self.open(current_app)

    def open(self, app: Flask) -> ThreadNode:
        """The node of this process and of ``app``, for hooks of a server that run outside its context."""
        nodes: NodePerProcess = app.extensions[KEY]
        return nodes()

    def close(self, app: Flask) -> None:
        """Say goodbye, and close the node that this process has for ``app``, if it has one."""
        nodes: NodePerProcess = app.extensions[KEY]
        nodes.close()
