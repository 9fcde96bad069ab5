"""Asks a running member: where it listens, over which socket, and what to say if no answer comes."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from random import SystemRandom

import anyio
import msgspec

from swim_core import Address, Config, ConfigError, Keys, SwimError
from swim_core.address import canonical, is_loopback
from swim_core.embedding.arguments import read_keys
from swim_core.embedding.host_port import read_seeds
from swim_core.native.sealing.ring import key_id
from swim_core.native.tools.client import PATIENCE, Failure, ToolClient
from swim_core.native.wire.answers import Body
from swim_core.native.wire.queries import What
from swim_threads.key_file import KeyFile
from swim_threads.lookups import resolve_within
from swim_threads.sockets.routes import family_of, route_source
from swim_threads.sockets.udp import UdpSocket

__all__ = ["PATIENCE", "NoAnswer", "Target", "ask", "ask_each", "read_cluster", "read_target", "source_for"]

DEFAULT = "127.0.0.1:7946"
AT_A_TIME = 16  # members that are asked at the same time
MAX_TRIED = 4  # addresses, which share the two seconds
LONGEST = 300.0
"""Seconds for a whole answer, even if no page of it is late, so that a hostile node can't go on for hours. That is
enough for the pages of 16,384 members on another continent, at some 0.3 s each."""


class NoAnswer(SwimError):
    """Nobody answered; the message says who was asked and what the reason may be."""


class Target(msgspec.Struct, frozen=True):
    """Which member to ask.

    Attributes:
        addresses: asked one after the other until one answers.
        zone: the zone of link-local addresses; "" for none.
        cluster: the cluster's label.
        keys: to ask with; None to ask in plain text.
    """

    addresses: tuple[Address, ...]
    zone: str
    cluster: str
    keys: Keys | None = None


def read_target(join: str | None, cluster: str | None) -> Target:
    """Which member to ask: by the options, else ``SWIM_JOIN`` and ``SWIM_CLUSTER``, else 127.0.0.1:7946 and no label.

    The keys come from ``SWIM_KEY_FILE`` or ``SWIM_KEY``; a reader's key will do.

    Raises:
        ConfigError: if an option or a variable is invalid; the message names it.
        NoAnswer: if a host can't be resolved within `PATIENCE`.
    """
    label = read_cluster(cluster)
    seeds = read_seeds("--join", join) if join is not None else read_seeds("SWIM_JOIN", os.environ.get("SWIM_JOIN", ""))
    if join is not None and not seeds:
        raise ConfigError("--join: give HOST:PORT")
    found: dict[Address, None] = {}
    for host, port in seeds or read_seeds("default", DEFAULT):
        found |= dict.fromkeys(resolve_host(host, port))
    zones = [host.partition("%")[2] for host, _ in seeds]
    keys, file = read_keys(None, None, os.environ)
    if file is not None:
        keys = KeyFile(file).read()
    return Target(tuple(found)[:MAX_TRIED], "".join(zones[:1]), label, keys)


def read_cluster(label: str | None) -> str:
    """The cluster's label, by the option, else ``SWIM_CLUSTER``.

    Raises:
        ConfigError: if it can't be used.
    """
    source = "--cluster" if label is not None else "SWIM_CLUSTER"
    label = os.environ.get(source, "") if label is None else label
    try:
        return Config(cluster=label).cluster
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None


def resolve_host(host: str, port: int) -> list[Address]:
    """The addresses of a host, numeric or by name.

    Raises:
        NoAnswer: if it can't be resolved within `PATIENCE`.
    """
    try:
        return [canonical(host, port)]
    except ConfigError:
        pass
    try:
        return list(resolve_within(host, port, seconds=PATIENCE))
    except OSError as error:
        raise NoAnswer(f"the host {host!r} doesn't resolve: {error.strerror or error}") from error


async def ask(target: Target, what: What, argument: bytes = b"", *, patience: float | None = None) -> Sequence[Body]:
    """Ask, and return the pages of the answer. ``patience`` is `PATIENCE` unless given; all addresses share it.

    Raises:
        NoAnswer: if none came, or none that ended within `LONGEST`.
    """
    reasons, deadline = [], anyio.current_time() + LONGEST
    patience = max((PATIENCE if patience is None else patience) / len(target.addresses), 0.5)
    for address in target.addresses:
        reason: Sequence[Body] | str = f"the answer from {address} did not end within {LONGEST:g} s"
        with anyio.CancelScope(deadline=deadline):
            reason = await _ask_at(address, target, what, argument, patience)
        if not isinstance(reason, str):
            return reason
        reasons.append(reason)
    raise NoAnswer("; ".join(reasons))


async def ask_each(
    target: Target, members: Mapping[str, Address], what: What, argument: bytes = b"", *, patience: float | None = None
) -> dict[str, Sequence[Body] | None]:
    """What each member answers, by name; None for those that don't. `AT_A_TIME` are asked at once."""
    found: dict[str, Sequence[Body] | None] = dict.fromkeys(sorted(members))
    limit = anyio.CapacityLimiter(AT_A_TIME)

    async def ask_one(name: str, address: Address) -> None:
        async with limit:
            with suppress(NoAnswer):
                there = Target((address,), target.zone, target.cluster, target.keys)
                found[name] = await ask(there, what, argument, patience=patience)

    async with anyio.create_task_group() as tasks:
        for name, address in members.items():
            tasks.start_soon(ask_one, name, address)
    return found


async def _ask_at(
    address: Address, target: Target, what: What, argument: bytes, patience: float
) -> Sequence[Body] | str:
    """The answer from one address, or the reason why there is none."""
    client = ToolClient(
        what,
        argument,
        destination=address,
        cluster=target.cluster,
        keys=target.keys,
        now=time.monotonic(),
        random=SystemRandom(),
        patience=patience,
    )
    sock = UdpSocket.open(source_for(address, target.zone), 0)
    try:
        while not client.done:
            if not _send(sock, client):
                return f"{address} can't be reached from here: there is no route to it"
            await _listen(sock, client)
    finally:
        sock.close()
    return client.pages if client.complete else _explain(client.failure, address, target, patience)


def source_for(address: Address, zone: str) -> str:
    """The host to ask from. It is loopback if the address is this host's own: the member then knows that the question
    comes from its own host, even if it listens at no other address."""
    wildcard, loopback = ("::", "::1") if ":" in address.host else ("0.0.0.0", "127.0.0.1")
    if zone:
        return f"{wildcard}%{zone}"
    return loopback if route_source(address, family_of(address.host)) == address.host else wildcard


def _send(sock: UdpSocket, client: ToolClient) -> bool:
    while (datagram := client.poll_datagram()) is not None:
        if not sock.send(*datagram, _refusal_to(client)) and not client.done:
            return False
    return True


def _refusal_to(client: ToolClient) -> Callable[[Address, bytes], None]:
    return lambda destination, quoted: client.feed_refused(destination, quoted, now=time.monotonic())


async def _listen(sock: UdpSocket, client: ToolClient) -> None:
    deadline = client.poll_deadline()
    if deadline is not None:
        with anyio.move_on_after(max(0.0, deadline - time.monotonic())):
            await anyio.wait_readable(sock.fileno())
    sock.receive(lambda data, _: client.feed_datagram(data, now=time.monotonic()), _refusal_to(client))
    client.feed_tick(now=time.monotonic())


def _explain(failure: Failure | None, address: Address, target: Target, patience: float) -> str:
    if failure is Failure.REFUSED:
        return (
            f"nothing listens at {address}: start a member there (swim agent --bind {address}),"
            " or choose another one with --join or SWIM_JOIN"
        )
    if failure is Failure.ENDLESS:
        return f"the answer from {address} has no end"
    label = f"the cluster label {target.cluster!r}" if target.cluster else "no cluster label"
    if target.keys is not None:
        held = ", ".join(f"{key_id(key, target.cluster):08x}" for key in target.keys)
        return (
            f"no answer from {address} within {patience:g} s, asked with {label} and key {held}: it may hold other keys"
            " or none (SWIM_KEY_FILE), belong to another cluster (--cluster), or hang"
        )
    remedy = (
        "it may hang, have keys (SWIM_KEY_FILE), belong to another cluster (--cluster), or not speak the native"
        " protocol"
        if is_loopback(address)
        else "a member answers tools on its own host only, unless it runs with --answer-tools anyone;"
        " or it hangs, or belongs to another cluster (--cluster)"
    )
    return f"no answer from {address} within {patience:g} s, asked with {label}: {remedy}"


def ask_once(join: str | None, cluster: str | None, what: What, argument: bytes = b"") -> Sequence[Body]:
    """Ask one question, for a command that does nothing else. Raises what `read_target` and `ask` raise."""
    target = read_target(join, cluster)
    return anyio.run(partial(ask, target, what, argument), backend="asyncio")
