"""Seeds named by an SRV record, as in ``_swim._udp.example.com``: each of its targets is one.

Priorities and weights say whom to prefer, and a member wants to know all of them. The system's resolver knows no
such records, so this needs dnspython, which the extra `dns` brings.
"""

import errno
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from swim_core import ConfigError

__all__ = ["LIFETIME", "check_services", "is_service", "targets"]

LIFETIME = 8.0
"""Seconds that a look-up may take, below those that anybody waits for it."""
MAX_TARGETS = 256


def is_service(host: str) -> bool:
    """Whether a seed's host is the name of a service: no host may begin with an underscore."""
    service, _, protocol = host.partition(".")
    return service.startswith("_") and protocol.startswith("_")


def check_services(seeds: Iterable[tuple[str, int]]) -> None:
    """Find out at once whether the names of services among ``seeds`` can be looked up at all.

    Raises:
        ConfigError: if that takes what is not installed.
    """
    for host, _ in seeds:
        if is_service(host):
            _dns("resolver", host)


def targets(service: str) -> tuple[tuple[str, int], ...]:
    """Hosts and ports that the SRV records of a service name, each once. Blocks.

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
        why = f'join: {service!r} is an SRV name, which takes dnspython: pip install "swim-membership[dns]"'
        raise ConfigError(why) from error
