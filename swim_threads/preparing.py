"""What every adapter does to get from arguments to sockets and a node, once names are resolved."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from swim_core import Address, BindError, Keys, ProtocolNode
from swim_core.embedding.advertising import check_exposure, is_wildcard, label_warning, names_itself
from swim_core.embedding.arguments import Arguments, misspelt
from swim_core.embedding.log_messages import INFO, WARNING

from .key_file import KeyFile, read_key_file
from .logs import Log
from .own_address import LOOK_EVERY, OwnAddress
from .services import check_services
from .sockets.interfaces import named_host
from .sockets.multicast import MulticastSocket
from .sockets.tcp import TcpListener, open_pair
from .sockets.udp import UdpSocket

__all__ = [
    "FIRST_LOOK_UP",
    "LOOK_EVERY",
    "OwnAddress",
    "advertised",
    "create_node",
    "deciding_seeds",
    "elsewhere",
    "held_keys",
    "named_host",
    "no_more_sockets",
    "open_multicast",
    "open_sockets",
]

FIRST_LOOK_UP = 2.0
"""Seconds that a wildcard bind waits for its first seeds' names, which tell the route to advertise."""


def open_sockets(
    arguments: Arguments, bind: tuple[str, int], *, tripwires: bool, log: Log
) -> tuple[UdpSocket, TcpListener | None]:
    """Bind the node's sockets at ``bind``, whose host is numeric; without a listener there are no tripwires.

    Raises:
        BindError: if the address can't be had. Nothing is left open.
        ConfigError: if a seed needs what is not installed.
    """
    check_services(arguments.join)
    for warning in misspelt(os.environ):
        log.say(WARNING, "%s", warning, mistake=True)
    sock, listener, notice = open_pair(*bind, tcp=tripwires)
    if notice is not None:
        log.say(WARNING, "no tripwires, so that crashes are found later: %s", notice)
    for host, _ in arguments.join:
        sock.note_zone(host)
    return sock, listener


@contextmanager
def no_more_sockets(address: Address) -> Iterator[None]:
    """Turn an OSError into a BindError: a node at ``address`` could not get what it needs besides its own sockets."""
    try:
        yield
    except BindError:
        raise
    except OSError as error:
        raise BindError(error.errno, f"a node at {address} can't be opened: {error.strerror or error}") from error


def deciding_seeds(arguments: Arguments, sock: UdpSocket) -> tuple[tuple[str, int], ...]:
    """The seeds that decide under which address the node is known: the first of their addresses that is `elsewhere`.

    There are none unless a wildcard is bound and ``advertise`` was left open.
    """
    return arguments.join if arguments.advertise is None and is_wildcard(sock.address) else ()


def elsewhere(name: str, addresses: Sequence[Address]) -> list[Address]:
    """The addresses of a seed without those that stand for the node's own host.

    Where all hosts have one list of seeds, each finds its own name in it, and what that resolves to leads to no other
    host.
    """
    return [address for address in addresses if not names_itself(name, address)]


def advertised(
    arguments: Arguments, sock: UdpSocket, advertise: Address | None, seeds: Sequence[Address], *, log: Log
) -> OwnAddress:
    """The address to tell others. Logs how it was chosen, and what listening beyond loopback means.

    Raises:
        KeyMissing: if other hosts can reach the node, and it has no key.
    """
    own = OwnAddress(sock, advertise, seeds)
    sealed = arguments.keys is not None or arguments.key_file is not None
    warnings = [check_exposure(sock.address, arguments.config, sealed=sealed, insecure=arguments.insecure)]
    if own.choice.notice is not None:  # after the check, since a node that is refused needs no advice about its address
        log.say(WARNING if own.choice.doubtful else INFO, "%s", own.choice.notice)
    if not sealed:  # with keys a cluster meets no other
        warnings.append(label_warning(sock.address, arguments.config))
    elif getattr(arguments.config, "plain", "never") == "accept":
        warnings.append(PLAIN_TOO)
    for warning in warnings:
        if warning is not None:
            log.say(WARNING, "%s", warning)
    return own


PLAIN_TOO = (
    'datagrams that are not sealed are taken too (plain="accept", --accept-plain): as long as that is so, keys protect'
    " nothing; when members_plain is 0 on every member, start each without it"
)


def create_node(arguments: Arguments, address: Address, keys: Keys | None, *, now: float) -> ProtocolNode:
    """The protocol's node, with the entropy and the wall clock of this machine."""
    return arguments.config.create_node(
        arguments.name,
        address,
        now=now,
        entropy=os.urandom(32),
        unix_ms=time.time_ns() // 1_000_000,
        metadata=arguments.metadata,
        keys=keys,
    )


def held_keys(arguments: Arguments, *, log: Log) -> tuple[Keys | None, KeyFile | None]:
    """The keys of a node, and the file that holds them, if there is one.

    Raises:
        KeyInvalid: if the file can't be used.
    """
    if arguments.key_file is None:
        return arguments.keys, None
    file = KeyFile(arguments.key_file)
    return read_key_file(file, log), file


def open_multicast(arguments: Arguments, sock: UdpSocket, address: Address, *, log: Log) -> MulticastSocket | None:
    """The socket to discover others with, if that is wanted and the host supports it."""
    if arguments.discover is None:
        return None
    try:
        return MulticastSocket.open(arguments.discover, sock, address)
    except OSError as error:
        log.say(WARNING, "no discovery by multicast: %s", error.strerror or error)
        return None
