"""What an application hands over: the settings with presets, environment variables, and the node they are for."""

import os
from collections.abc import Mapping
from typing import Any, Self, Unpack

import attrs

from swim_core.address import Address
from swim_core.discovery import Multicast
from swim_core.errors import ConfigError
from swim_core.keys import Keys

from .node import Node
from .settings import ConfigFields, Settings

__all__ = ["Config", "ConfigFields"]

SWITCH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
"""What environment variables may say of a setting that is on or off, in small or capital letters."""


class Config(Settings):
    __doc__ = Settings.__doc__
    __slots__ = ()

    @property
    def listen(self) -> tuple[str, int] | None:
        """None: where a node of this protocol listens is no setting of a cluster (``bind=``, ``SWIM_BIND``)."""
        return None

    @property
    def seeds(self) -> tuple[tuple[str, int], ...]:
        """None of them: ditto (``join=``, ``SWIM_JOIN``)."""
        return ()

    @property
    def discovery(self) -> Multicast | None:
        """None: a node of this protocol announces itself only where `open_node` is told so (``discover=``)."""
        return None

    @classmethod
    def local(cls, **overrides: Unpack[ConfigFields]) -> Self:
        """For one machine: T 0.5 s, S 3 s, no S_host. ``overrides`` are fields by keyword."""
        preset: ConfigFields = {"probe_interval": 0.5, "stall_tolerance": 3.0, "host_tolerance": 0.0}
        return cls(**{**preset, **overrides})  # type: ignore[arg-type]

    @classmethod
    def lan(cls, **overrides: Unpack[ConfigFields]) -> Self:
        """For a local network or one region, the defaults: T 1 s, S 5 s, S_host 3 s. ``overrides`` are fields."""
        return cls(**overrides)  # type: ignore[arg-type]

    @classmethod
    def wan(cls, **overrides: Unpack[ConfigFields]) -> Self:
        """For members far apart: T 2 s, S 10 s, S_host 6 s, m at least 1 s. ``overrides`` are fields by keyword."""
        preset: ConfigFields = {
            "probe_interval": 2.0,
            "stall_tolerance": 10.0,
            "host_tolerance": 6.0,
            "verdict_margin": 1.0,
        }
        return cls(**{**preset, **overrides})  # type: ignore[arg-type]

    @classmethod
    def preset(cls, name: str, **overrides: Unpack[ConfigFields]) -> Self:
        """The preset called ``local``, ``lan`` or ``wan``.

        Raises:
            ConfigError: if there is no such preset.
        """
        presets = {"local": cls.local, "lan": cls.lan, "wan": cls.wan}
        if name not in presets:
            raise ConfigError(f"there is no preset {name!r}: choose {', '.join(presets)}")
        return presets[name](**overrides)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: Unpack[ConfigFields]) -> Self:
        """Settings from ``SWIM_PROBE_INTERVAL``, ``SWIM_MAX_BROADCAST`` and so on, one variable a field.

        ``SWIM_PRESET`` chooses what is not set (lan by default). ``overrides`` win over variables.
        Empty variables count as unset.

        Args:
            environ: read in place of `os.environ`.

        Raises:
            ConfigError: if a value can't be used; the message names the variable.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for field in attrs.fields(cls):
            variable = f"SWIM_{field.name.upper()}"
            text = environ.get(variable, "")
            if not text or field.name in overrides:
                continue
            values[field.name] = value = _parse(field, variable, text)
            try:
                if field.validator is not None:
                    field.validator(None, field, value)
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
        return attrs.evolve(self, **overrides)  # type: ignore[arg-type]  # converters take timedelta

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
        """Make a node of the protocol that this configuration is for; see `swim_core.Node` for the arguments."""
        return Node(name, address, config=self, now=now, entropy=entropy, unix_ms=unix_ms, metadata=metadata, keys=keys)


def _parse(field: "attrs.Attribute[Any]", variable: str, text: str) -> object:
    if not field.metadata:  # no number
        return text
    if field.type is bool:
        if text.lower() not in SWITCH:
            raise ConfigError(f"{variable} must be true or false, not {text!r}")
        return SWITCH[text.lower()]
    try:
        return int(text) if field.type is int else float(text)
    except ValueError:
        kind = "a whole number" if field.type is int else "a number"
        unit = field.metadata["unit"]
        raise ConfigError(f"{variable} must be {kind} ({unit}), not {text!r}") from None
