"""What an application hands over: the settings with the original's environment variables, and the node they are for."""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Self, Unpack

import attrs

from swim_core.address import Address
from swim_core.errors import ConfigError

from .node import SmudgeNode
from .settings import SmudgeConfigFields, SmudgeSettings

__all__ = ["SmudgeConfig", "SmudgeConfigFields"]


class SmudgeConfig(SmudgeSettings):
    __doc__ = SmudgeSettings.__doc__
    __slots__ = ()

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: Unpack[SmudgeConfigFields]) -> Self:
        """Settings from the original's ``SMUDGE_*`` variables; ``overrides`` win over them.

        Empty variables count as unset. Where the original would warn and go on with a default, this
        raises; ``SMUDGE_MULTICAST_ENABLED`` is on if its first letter is t or T, and else off.

        Args:
            environ: read in place of `os.environ`.

        Raises:
            ConfigError: if a value can't be used; the message names the variable.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = dict(overrides)
        for field in attrs.fields(cls):
            variable = f"SMUDGE_{field.name.upper()}"
            text = environ.get(variable, "")
            if field.name in _PARSERS and field.name not in overrides and text:
                values[field.name] = _from_variable(cls, variable, field.name, text)
        return cls(**values)

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
    ) -> SmudgeNode:
        """Make a node; see `SmudgeNode` for the arguments. Its name is its ``host:port``: ``name`` is not used."""
        if metadata:
            raise ConfigError("Smudge's protocol carries no metadata")
        return SmudgeNode(address, config=self, now=now, entropy=entropy, unix_ms=unix_ms)


def _from_variable(cls: type[SmudgeConfig], variable: str, name: str, text: str) -> object:
    """The value of a variable, tried on a configuration of its own so that the error names the variable."""
    try:
        value: Any = _PARSERS[name](text)
        cls(**{name: value})
    except ConfigError as error:
        raise ConfigError(f"{variable}: {error}") from None
    return value


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
    "initial_hosts": str,
    "max_broadcast_bytes": _integer,
    "multicast_enabled": _flag,
    "multicast_address": str,
    "multicast_port": _integer,
    "multicast_announce_interval": _integer,
    "min_ping_time": _integer,
    "ping_history_frontload": _integer,
}
