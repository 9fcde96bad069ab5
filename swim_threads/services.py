"""Seeds from SRV records, such as ``_swim._udp.example.com``: each target is a seed.

Priorities and weights say which targets to prefer, but a member wants them all, so they are ignored. The system's
resolver doesn't support such records, so this needs dnspython, which the extra `dns` installs.
"""

import errno
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from swim_core import ConfigError

__all__ = ["LIFETIME", "check_services", "is_service", "targets"]

LIFETIME = 8.0
"""Seconds that a lookup may take, less than anybody waits for it."""
MAX_TARGETS = 256


def is_service(host: str) -> bool:
    """Whether a seed's host is an SRV name: names of hosts never begin with an underscore."""
    service, _, protocol = host.partition(".")
    return service.startswith("_") and protocol.startswith("_")


def check_services(seeds: Iterable[tuple[str, int]]) -> None:
    """Check at once whether SRV names among ``seeds`` can be looked up at all.

    Raises:
        ConfigError: if there are some, and dnspython is not installed.
    """
    for host, _ in seeds:
        if is_service(host):
            _dns("resolver", host)


def targets(service: str) -> tuple[tuple[str, int], ...]:
    """The distinct hosts and ports in a service's SRV records. Blocks.

    Raises:
        OSError: if there are none.
    """
    try:
        answer = _dns("resolver", service).resolve(service, "SRV", lifetime=LIFETIME)
    except ConfigError as error:
        raise OSError(errno.ENOSYS, str(error)) from error
    except _dns("exception", service).DNSException as error:
        raise OSError(errno.ENOENT, f"no SRV record: {error}") from error
    found = dict.fromkeys((str(record.target).rstrip("."), int(record.port)) for record in answer)
    usable = tuple((host, port) for host, port in found if host and port)  # "." says that there is no such service
    if not usable:
        raise OSError(errno.ENOENT, "its SRV record says that there is no such service")
    return usable[:MAX_TARGETS]


def _dns(module: str, service: str) -> Any:
    try:
        return import_module(f"dns.{module}")
    except ImportError as error:
        why = f'join: {service!r} is an SRV name, which needs dnspython: pip install "swim-membership[dns]"'
        raise ConfigError(why) from error
