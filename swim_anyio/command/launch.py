"""From options to a running agent: settings that override the environment, the log, the event loop."""

import os
from importlib import import_module
from typing import TYPE_CHECKING

from swim_core import BindError, ConfigError
from swim_core.address import split_host_port

from .choices import AnswerTools, Backend, Discovery, Format, LogLevel, Preset, Protocol
from .settings import read_settings

if TYPE_CHECKING:
    from .handlers import On

__all__ = ["launch_agent"]

NO_PORT = -1


def launch_agent(
    *,
    bind: str | None = None,
    join: list[str] | None = None,
    name: str | None = None,
    advertise: str | None = None,
    metadata: list[str] | None = None,
    cluster: str | None = None,
    discover: Discovery | None = None,
    protocol: Protocol = Protocol.NATIVE,
    preset: Preset | None = None,
    probe_interval: float | None = None,
    stall_tolerance: float | None = None,
    max_broadcast: int | None = None,
    no_tripwires: bool = False,
    answer_tools: AnswerTools | None = None,
    key_file: str | None = None,
    accept_plain: bool = False,
    insecure: bool = False,
    backend: Backend = Backend.ASYNCIO,
    format: Format = Format.TEXT,
    log_level: LogLevel = LogLevel.WARNING,
    log_format: Format = Format.TEXT,
    peers: str | None = None,
    http: str | None = None,
    metrics: str | None = None,
    on: tuple[str, str] | None = None,
    lifeline: int | None = None,
) -> int:
    """Run `swim agent` with these options; returns the exit status.

    asyncio is the default because it starts sooner than trio, takes less memory, and costs less per datagram.

    Raises:
        ConfigError: if an option or a variable is invalid; the message names it.
        SwimError, OSError: if the node can't be opened, or fails.
    """
    import anyio

    from .advice import advised
    from .agent import Settings, run_agent
    from .logs import start_logging
    from .reach import check_reach

    node = read_settings(
        protocol,
        bind=bind,
        join=join,
        cluster=cluster,
        discover=discover,
        preset=preset,
        probe_interval=probe_interval,
        stall_tolerance=stall_tolerance,
        max_broadcast=max_broadcast,
        tripwires=False if no_tripwires else None,
        answer_tools=answer_tools,
        key_file=key_file,
        accept_plain=accept_plain,
    )
    check_reach(node)
    settings = Settings(
        bind=node.bind,
        name=name,
        join=node.join,
        advertise=advertise,
        metadata=_metadata(metadata or []),
        discover=node.discover,
        config=node.config,
        keys=node.keys,
        key_file=node.key_file,
        insecure=insecure or None,
        json=format is Format.JSON,
        peers=peers,
        http=_http(metrics if http is None else http),  # the older name
        backend=backend.value,
        on=None if on is None else _on(on),
        lifeline=_lifeline(lifeline),
    )
    start_logging(log_level, log_format)
    import_module(backend.value)  # anyio would only say that there is no such backend
    try:
        return anyio.run(run_agent, settings, backend=backend.value)
    except BindError as error:
        raise advised(error, protocol) from error


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


def _metadata(pairs: list[str]) -> dict[str, str]:
    metadata = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise ConfigError(f"--metadata takes KEY=VALUE, not {pair!r}")
        metadata[key] = value
    return metadata
