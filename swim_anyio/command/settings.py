"""A node's settings from the command line and the environment, by protocol. Options take precedence."""

import os
from typing import Any

import msgspec

from swim_core import Config, ConfigError, Keys, Multicast, ProtocolConfig
from swim_core.embedding.arguments import read_keys

from .choices import AnswerTools, Discovery, Preset, Protocol

__all__ = ["NodeSettings", "read_settings"]


class NodeSettings(msgspec.Struct, frozen=True):
    """Arguments of `open_node`; None leaves one to its default."""

    bind: str | None
    join: list[str] | None
    config: ProtocolConfig
    discover: Multicast | None = None
    keys: Keys | None = None
    key_file: str | None = None


def read_settings(
    protocol: Protocol,
    *,
    bind: str | None,
    join: list[str] | None,
    cluster: str | None,
    discover: Discovery | None,
    preset: Preset | None,
    probe_interval: float | None,
    stall_tolerance: float | None,
    max_broadcast: int | None,
    tripwires: bool | None = None,
    answer_tools: AnswerTools | None = None,
    key_file: str | None = None,
    accept_plain: bool = False,
) -> NodeSettings:
    """The settings of a node that speaks ``protocol``.

    Raises:
        ConfigError: if an option or a variable is invalid; the message names it.
    """
    if protocol is Protocol.SMUDGE:
        if preset is not None or stall_tolerance is not None or answer_tools is not None:
            raise ConfigError("--preset, --stall-tolerance and --answer-tools are settings of the native protocol")
        if key_file is not None or accept_plain:
            raise ConfigError("--key-file and --accept-plain: Smudge's protocol can't be sealed")
        return _smudge(bind, join, cluster, discover, probe_interval, max_broadcast)
    overrides = {
        "cluster": cluster,
        "probe_interval": probe_interval,
        "stall_tolerance": stall_tolerance,
        "max_broadcast": max_broadcast,
        "tripwires": tripwires,
        "answer_tools": None if answer_tools is None else answer_tools.value,
        "plain": "accept" if accept_plain else None,
    }
    multicast = None if discover is None else Multicast()
    config = _native(preset, _given(overrides))
    keys, file = read_keys(None, key_file, os.environ)
    os.environ.pop("SWIM_KEY", None)  # child processes, and those who can read the environment, should not get the key
    return NodeSettings(bind, join or None, config, multicast, keys, file)


def _given(overrides: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in overrides.items() if value is not None}


def _native(preset: Preset | None, given: dict[str, Any]) -> Config:
    if preset is None:
        return Config.from_env(**given)
    try:
        return Config.from_env({**os.environ, "SWIM_PRESET": preset.value}, **given)
    except ConfigError as error:
        raise ConfigError(str(error).replace("SWIM_PRESET", f"--preset {preset.value}")) from None


def _smudge(
    bind: str | None,
    join: list[str] | None,
    cluster: str | None,
    discover: Discovery | None,
    probe_interval: float | None,
    max_broadcast: int | None,
) -> NodeSettings:
    """The settings come from Smudge's own variables, as in the original; options take precedence.

    Multicast discovery is on unless a variable turns it off; ``discover`` turns it on regardless.
    """
    from swim_core.smudge import SmudgeConfig  # imported only where it is spoken, so that agents start sooner

    heartbeat = None if probe_interval is None else round(probe_interval * 1000)
    overrides = {
        "cluster_name": cluster,
        "multicast_enabled": None if discover is None else True,
        "heartbeat_millis": heartbeat,
        "max_broadcast_bytes": max_broadcast,
    }
    config = SmudgeConfig.from_env(**_given(overrides))
    return NodeSettings(bind, join or None, config)
