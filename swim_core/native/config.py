"""`Config`: the settings with presets and environment variables, and the node that they are for."""

import os
from collections.abc import Mapping
from typing import Any, Self, Unpack

from msgspec.structs import replace

from swim_core.address import Address
from swim_core.discovery import Multicast
from swim_core.errors import ConfigError
from swim_core.keys import Keys

from .node import Node
from .settings import FIELDS, ConfigFields, Field, Settings

__all__ = ["Config", "ConfigFields"]

SWITCH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
"""The values of environment variables for settings that are on or off, in lower or upper case."""


class Config(Settings, frozen=True):
    __doc__ = Settings.__doc__

    @property
    def listen(self) -> tuple[str, int] | None:
        """Always None: where a node listens is not part of these settings (``bind=``, ``SWIM_BIND``)."""
        return None

    @property
    def seeds(self) -> tuple[tuple[str, int], ...]:
        """Always empty: seeds are not part of these settings (``join=``, ``SWIM_JOIN``)."""
        return ()

    @property
    def discovery(self) -> Multicast | None:
        """Always None: a node of this protocol announces itself only if `open_node` is told to (``discover=``)."""
        return None

    @classmethod
    def local(cls, **overrides: Unpack[ConfigFields]) -> Self:
        """Settings for one machine: T = 0.5 s, S = 3 s, no S_host. ``overrides`` are fields by keyword."""
        preset: ConfigFields = {"probe_interval": 0.5, "stall_tolerance": 3.0, "host_tolerance": 0.0}
        return cls(**{**preset, **overrides})  # type: ignore[arg-type]

    @classmethod
    def lan(cls, **overrides: Unpack[ConfigFields]) -> Self:
        """Settings for a local network or one region, the defaults: T = 1 s, S = 5 s, S_host = 3 s."""
        return cls(**overrides)  # type: ignore[arg-type]

    @classmethod
    def wan(cls, **overrides: Unpack[ConfigFields]) -> Self:
        """Settings for members far apart: T = 2 s, S = 10 s, S_host = 6 s, m at least 1 s."""
        preset: ConfigFields = {
            "probe_interval": 2.0,
            "stall_tolerance": 10.0,
            "host_tolerance": 6.0,
            "verdict_margin": 1.0,
        }
        return cls(**{**preset, **overrides})  # type: ignore[arg-type]

    @classmethod
    def preset(cls, name: str, **overrides: Unpack[ConfigFields]) -> Self:
        """The preset named ``local``, ``lan`` or ``wan``, with ``overrides``.

        Raises:
            ConfigError: if there is no such preset.
        """
        presets = {"local": cls.local, "lan": cls.lan, "wan": cls.wan}
        if name not in presets:
            raise ConfigError(f"there is no preset {name!r}: choose {', '.join(presets)}")
        return presets[name](**overrides)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: Unpack[ConfigFields]) -> Self:
        """Settings from ``SWIM_PROBE_INTERVAL``, ``SWIM_MAX_BROADCAST`` and so on, one variable per field.

        ``SWIM_PRESET`` provides the values that are not set (lan by default). Empty variables count as unset.

        Args:
            environ: used instead of `os.environ`.
            overrides: fields that take precedence over variables.

        Raises:
            ConfigError: if a value is invalid; the message names the variable.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for name, field in FIELDS.items():
            variable = f"SWIM_{name.upper()}"
            text = environ.get(variable, "")
            if not text or name in overrides:
                continue
            values[name] = value = _parse(field, variable, text)
            try:
                field.check(value)
            except ConfigError as error:
                raise ConfigError(f"{variable}: {error}") from None
        preset = environ.get("SWIM_PRESET") or "lan"
        try:
            return cls.preset(preset, **{**values, **overrides})
        except ConfigError as error:
            names = ["SWIM_PRESET"] if environ.get("SWIM_PRESET") else []
            names += [f"SWIM_{name.upper()}" for name in values]
            raise ConfigError(f"{error} (set by {', '.join(names)})" if names else str(error)) from None

    def replace(self, **overrides: Unpack[ConfigFields]) -> Self:
        """A copy with other values, validated like the original."""
        return replace(self, **overrides)

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
    ) -> Node:
        """Make a node with these settings; see `swim_core.Node` for the arguments."""
        return Node(name, address, config=self, now=now, entropy=entropy, unix_ms=unix_ms, metadata=metadata, keys=keys)


def _parse(field: Field, variable: str, text: str) -> object:
    if field.kind is bool:
        if text.lower() not in SWITCH:
            raise ConfigError(f"{variable} must be true or false, not {text!r}")
        return SWITCH[text.lower()]
    if field.bounds is None:
        return text
    try:
        return int(text) if field.kind is int else float(text)
    except ValueError:
        kind = "a whole number" if field.kind is int else "a number"
        raise ConfigError(f"{variable} must be {kind} ({field.bounds.unit}), not {text!r}") from None
