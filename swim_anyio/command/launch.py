"""From options to a running agent: settings that override the environment, the log, the event loop."""

import os
from importlib import import_module
from typing import TYPE_CHECKING

from swim_core import BindError, ConfigError
from swim_core.address import split_host_port

from .agent_options import AgentOptions
from .choices import Format
from .settings import read_settings

if TYPE_CHECKING:
    from .handlers import On

__all__ = ["launch_agent"]

NO_PORT = -1


def launch_agent(options: AgentOptions) -> int:
    """Run `swim agent` with these options; returns the exit status.

    Raises:
        ConfigError: if an option or a variable is invalid; the message names it.
        SwimError, OSError: if the node can't be opened, or fails.
    """
    import anyio

    from .advice import advised
    from .agent import AgentSettings, run_agent
    from .logs import start_logging
    from .reach import check_reach

    node = read_settings(options)
    check_reach(node)
    backend = options.backend.value
    settings = AgentSettings(
        node=node,
        json=options.format is Format.JSON,
        peers=options.peers,
        http=_http(options.metrics if options.http is None else options.http),  # the older name
        backend=backend,
        on=None if options.on is None else _on(options.on),
        lifeline=_lifeline(options.lifeline),
    )
    start_logging(options.log_level, options.log_format)
    import_module(backend)  # anyio would only say that there is no such backend
    try:
        return anyio.run(run_agent, settings, backend=backend)
    except BindError as error:
        raise advised(error, options.protocol) from error


def _on(words: tuple[str, str]) -> "On | None":
    from .handlers import read_on  # imported only where needed, so that agents start sooner

    return read_on(words)


def _lifeline(fd: int | None) -> int | None:
    try:
        if fd is not None:
            os.fstat(fd)
    except (OSError, OverflowError):
        raise ConfigError(f"--lifeline: {fd} is not an open file descriptor") from None
    return fd


def _http(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    try:
        host, port = split_host_port(text, NO_PORT)
    except ConfigError as error:
        raise ConfigError(f"--http: {error}") from None
    if port == NO_PORT:
        raise ConfigError(f"--http takes HOST:PORT or [IPv6]:PORT, not {text!r}; port 0 means any free port")
    return host, port
