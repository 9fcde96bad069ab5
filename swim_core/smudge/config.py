"""`SmudgeConfig`: the settings with the original's environment variables, and the node that they are for."""

import os
import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any, Self, Unpack

import attrs

from swim_core.address import Address, is_loopback
from swim_core.errors import ConfigError
from swim_core.keys import Keys

from .node import SmudgeNode
from .settings import SmudgeConfigFields, SmudgeSettings, split_hosts

__all__ = ["SmudgeConfig", "SmudgeConfigFields"]


class SmudgeConfig(SmudgeSettings):
    __doc__ = SmudgeSettings.__doc__
    __slots__ = ()

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: Unpack[SmudgeConfigFields]) -> Self:
        """Settings from the original's ``SMUDGE_*`` variables.

        Empty variables count as unset. Where the original would warn and use a default, this raises.
        ``SMUDGE_MULTICAST_ENABLED`` is on if its first letter is t or T, and otherwise off. In ``SMUDGE_INITIAL_HOSTS``
        one valid address is enough: invalid ones are treated as names, which don't resolve, and adapters warn about
        that. If a seed is on another host and ``SMUDGE_LISTEN_IP`` is not set, the node listens on every address, as
        the original always does.

        Args:
            environ: used instead of `os.environ`.
            overrides: fields that take precedence over variables.

        Raises:
            ConfigError: if a value is invalid; the message names the variable.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = dict(overrides)
        for field in attrs.fields(cls):
            variable = f"SMUDGE_{field.name.upper()}"
            text = environ.get(variable, "")
            if field.name in _PARSERS and field.name not in overrides and text:
                values[field.name] = _from_variable(cls, variable, field.name, text)
        config = cls(**values)
        return config if "listen_ip" in values else config.replace(listen_ip=_towards(config))

    def replace(self, **overrides: Unpack[SmudgeConfigFields]) -> Self:
        """A copy with other values, validated like the original."""
        return attrs.evolve(self, **overrides)

    def create_node(
        self,
        name: str,
        address: Address | tuple[str, int],
        *,
        now: float,
        entropy: bytes,
        unix_ms: int,
        metadata: Mapping[str, str] | None = None,
        keys: Keys | None = None,
    ) -> SmudgeNode:
        """Make a node; see `SmudgeNode` for the arguments. Its name is its ``host:port``, so ``name`` is ignored."""
        if keys is not None:
            raise ConfigError("Smudge's protocol can't be sealed: no keys can be given")
        if metadata:
            raise ConfigError("Smudge's protocol carries no metadata")
        return SmudgeNode(address, config=self, now=now, entropy=entropy, unix_ms=unix_ms)


def _from_variable(cls: type[SmudgeConfig], variable: str, name: str, text: str) -> object:
    """The value of a variable, checked in a separate configuration so that the error names the variable."""
    try:
        value: Any = _PARSERS[name](text)
        cls(**{name: value})
    except ConfigError as error:
        raise ConfigError(f"{variable}: {error}") from None
    return value


def _towards(config: SmudgeConfig) -> str:
    """Where to listen by default: on loopback, unless a seed is on another host and can't be reached from there."""
    return next((wildcard for host, _ in config.initial_hosts if (wildcard := _wildcard(host))), config.listen_ip)


def _wildcard(host: str) -> str:
    """The wildcard from which a seed on another host can be reached; empty if the seed is on this host, or invalid."""
    try:
        ip = ip_address(host)
    except ValueError:
        return "" if ":" in host or host.rstrip(".").lower() == "localhost" else "0.0.0.0"
    if is_loopback(Address(str(ip), 0)):
        return ""
    return "::" if ip.version == 6 else "0.0.0.0"


def _hosts(text: str) -> tuple[tuple[str, int], ...]:
    """Seeds; invalid ones beside valid ones are treated as names."""
    read: list[tuple[str, int]] = []
    errors: list[ConfigError] = []
    for part in split_hosts(text):
        try:
            read += SmudgeSettings(initial_hosts=part).initial_hosts
        except ConfigError as error:
            errors.append(error)
            read.append((part, 0))
    if errors and len(errors) == len(read):
        raise errors[0]
    return tuple(read)


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise ConfigError(f"must be a whole number, not {text!r}")
    return int(text)


def _flag(text: str) -> bool:
    return text[:1] in "tT"


_PARSERS: dict[str, Callable[[str], object]] = {
    "cluster_name": str,
    "heartbeat_millis": _integer,
    "listen_port": _integer,
    "listen_ip": str,
    "initial_hosts": _hosts,
    "max_broadcast_bytes": _integer,
    "multicast_enabled": _flag,
    "multicast_address": str,
    "multicast_port": _integer,
    "multicast_announce_interval": _integer,
    "min_ping_time": _integer,
    "ping_history_frontload": _integer,
}
