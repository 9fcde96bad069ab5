"""From arguments to sockets and a node, as every adapter goes about it once names are resolved."""

import logging
import os
import time
from collections.abc import Sequence

from swim_core import Address, ProtocolNode
from swim_core.embedding.arguments import Arguments, advertised_address, exposure_warning, is_wildcard

from .services import check_services
from .sockets.multicast import MulticastSocket
from .sockets.tcp import TcpListener, open_pair
from .sockets.udp import UdpSocket

__all__ = ["FIRST_LOOK_UP", "advertised", "create_node", "deciding_seed", "open_multicast", "open_sockets"]

FIRST_LOOK_UP = 2.0
"""Seconds that a wildcard bind waits for its first seed's name, which tells the route to advertise."""


def open_sockets(
    arguments: Arguments, bind: tuple[str, int], *, tripwires: bool, log: logging.Logger
) -> tuple[UdpSocket, TcpListener | None]:
    """Bind the node's sockets at ``bind``, whose host is numeric; without a listener there are no tripwires.

    Raises:
        BindError: if the address can't be had. Nothing is left open.
        ConfigError: if a seed needs what is not installed.
    """
    check_services(arguments.join)
    sock, listener, notice = open_pair(*bind, tcp=tripwires)
    if notice is not None:
        log.warning("%s: no tripwires, so that crashes are found later: %s", arguments.name, notice)
    for host, _ in arguments.join:
        sock.note_zone(host)
    return sock, listener


def deciding_seed(arguments: Arguments, sock: UdpSocket) -> tuple[str, int] | None:
    """The seed whose address decides under which address the node is known: the first one, where the route to it
    says what a wildcard means."""
    if arguments.advertise is not None or not is_wildcard(sock.address):
        return None
    return arguments.join[0] if arguments.join else None


def advertised(
    arguments: Arguments, sock: UdpSocket, advertise: Address | None, seeds: Sequence[Address], *, log: logging.Logger
) -> Address:
    """What to tell others; logs how it was chosen, and what listening beyond loopback means."""
    choice = advertised_address(
        sock.address, advertise, seeds, dual_stack=sock.dual_stack, route_source=sock.route_source
    )
    if choice.notice is not None:
        log.log(logging.WARNING if choice.doubtful else logging.INFO, "%s: %s", arguments.name, choice.notice)
    if (warning := exposure_warning(sock.address)) is not None:
        log.warning("%s: %s", arguments.name, warning)
    return choice.address


def create_node(arguments: Arguments, address: Address, *, now: float) -> ProtocolNode:
    """The protocol's node, with the entropy and the wall clock of this machine."""
    return arguments.config.create_node(
        arguments.name,
        address,
        now=now,
        entropy=os.urandom(32),
        unix_ms=time.time_ns() // 1_000_000,
        metadata=arguments.metadata,
    )


def open_multicast(
    arguments: Arguments, sock: UdpSocket, address: Address, *, log: logging.Logger
) -> MulticastSocket | None:
    """The socket to discover others with, if the node is to and the host can."""
    if arguments.discover is None:
        return None
    try:
        return MulticastSocket.open(arguments.discover, sock, address)
    except OSError as error:
        log.warning("%s: no discovery by multicast: %s", arguments.name, error.strerror or error)
        return None
