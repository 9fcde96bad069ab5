"""`swim page`: the page of members that run elsewhere, of several side by side."""

import secrets
from collections.abc import Mapping, Sequence
from functools import partial

import anyio

from swim_core import Address, ConfigError
from swim_core.address import split_host_port

from ..signals import watch_signals
from ..web.access import Access
from ..web.asked_source import AskedSource
from ..web.server import listening
from .asking import Target, read_target
from .writing import write

__all__ = ["run_page"]

MOST = 8  # members side by side: more than eyes can tell apart
SIGNALLED = 128  # and the number of the signal: the status that shells give


def run_page(ask: Sequence[str], cluster: str | None, http: str) -> int:
    """Serve the page until a signal comes; returns the exit status, 128 plus the signal's number.

    Args:
        ask: whom to ask, as other tools take it; none for what they ask by default.
        cluster: the cluster's label.
        http: where to serve it, as HOST:PORT.

    Raises:
        ConfigError: if an option or a variable is invalid.
        NoAnswer: if a host doesn't resolve.
        BindError: if the address can't be bound.
    """
    if len(ask) > MOST:
        raise ConfigError(f"--ask: {MOST} members at most, not {len(ask)}")
    targets = {label: read_target(label, cluster) for label in ask} or {"": read_target(None, cluster)}
    try:
        host, port = split_host_port(http, -1)
    except ConfigError as error:
        raise ConfigError(f"--http: {error}") from None
    if port < 0:
        raise ConfigError(f"--http takes HOST:PORT or [IPv6]:PORT, not {http!r}")
    return anyio.run(partial(_serve, targets, host, port), backend="asyncio")


async def _serve(targets: Mapping[str, Target], host: str, port: int) -> int:
    from swim_anyio.asgi.pages import page_routes
    from swim_anyio.asgi.site import site

    from ..web.connections import serve

    source = AskedSource(targets)
    password = secrets.token_urlsafe(12) if any(target.keys for target in targets.values()) else None
    passwords = None if password is None else lambda: [password]
    pages = site(page_routes(lambda _: source))
    app = Access(pages, passwords=passwords, open_paths=frozenset(), hint="the password that `swim page` printed")
    status = 0

    def end(number: int) -> None:
        nonlocal status
        status = SIGNALLED + number
        tasks.cancel_scope.cancel()

    with listening(host, port, "--http") as listeners:
        address = Address(*listeners[0].getsockname()[:2])
        async with anyio.create_task_group() as tasks:
            await tasks.start(watch_signals, end)
            write(f"http://{address}/" + ("" if password is None else f"  (password: {password})"))
            tasks.start_soon(serve, app, listeners, "asyncio")
    return status
