"""A node's settings from the command line and the environment, by protocol. Options take precedence."""

import os
from typing import Any

import msgspec

from swim_core import Config, ConfigError, Keys, Multicast, ProtocolConfig
from swim_core.embedding.arguments import read_keys

from .agent_options import AgentOptions
from .choices import Protocol

__all__ = ["NodeSettings", "read_settings"]


class NodeSettings(msgspec.Struct, frozen=True):
    """Arguments of `open_node`; None leaves one to its default."""

    bind: str | None
    join: list[str] | None
    config: ProtocolConfig
    discover: Multicast | None = None
    keys: Keys | None = None
    key_file: str | None = None
    name: str | None = None
    advertise: str | None = None
    metadata: dict[str, str] | None = None
    insecure: bool | None = None


def read_settings(options: AgentOptions) -> NodeSettings:
    """The settings of a node that speaks the protocol that the options name.

    Raises:
        ConfigError: if an option or a variable is invalid; the message names it.
    """
    native = options.protocol is Protocol.NATIVE
    config: ProtocolConfig = _native(options) if native else _smudge(options)
    keys, file = _keys(options) if native else (None, None)
    return NodeSettings(
        bind=options.bind,
        join=options.join or None,
        config=config,
        discover=Multicast() if native and options.discover is not None else None,
        keys=keys,
        key_file=file,
        name=options.name,
        advertise=options.advertise,
        metadata=_metadata(options.metadata or []) or None,
        insecure=options.insecure or None,
    )


def _native(options: AgentOptions) -> Config:
    given = _given(
        cluster=options.cluster,
        probe_interval=options.probe_interval,
        stall_tolerance=options.stall_tolerance,
        max_broadcast=options.max_broadcast,
        tripwires=False if options.no_tripwires else None,
        answer_tools=None if options.answer_tools is None else options.answer_tools.value,
        plain="accept" if options.accept_plain else None,
    )
    preset = options.preset
    if preset is None:
        return Config.from_env(**given)
    try:
        return Config.from_env({**os.environ, "SWIM_PRESET": preset.value}, **given)
    except ConfigError as error:
        raise ConfigError(str(error).replace("SWIM_PRESET", f"--preset {preset.value}")) from None


def _keys(options: AgentOptions) -> tuple[Keys | None, str | None]:
    keys, file = read_keys(None, options.key_file, os.environ)
    os.environ.pop("SWIM_KEY", None)  # child processes, and those who can read the environment, should not get the key
    return keys, file


def _smudge(options: AgentOptions) -> ProtocolConfig:
    """The settings come from Smudge's own variables, as in the original; options take precedence.

    Multicast discovery is on unless a variable turns it off; ``--discover`` turns it on regardless.
    """
    if options.preset is not None or options.stall_tolerance is not None or options.answer_tools is not None:
        raise ConfigError("--preset, --stall-tolerance and --answer-tools are settings of the native protocol")
    if options.key_file is not None or options.accept_plain:
        raise ConfigError("--key-file and --accept-plain: Smudge's protocol can't be sealed")
    from swim_core.smudge import SmudgeConfig  # imported only where it is spoken, so that agents start sooner

    interval = options.probe_interval
    given = _given(
        cluster_name=options.cluster,
        multicast_enabled=None if options.discover is None else True,
        heartbeat_millis=None if interval is None else round(interval * 1000),
        max_broadcast_bytes=options.max_broadcast,
    )
    return SmudgeConfig.from_env(**given)


def _given(**overrides: Any) -> dict[str, Any]:
    return {field: value for field, value in overrides.items() if value is not None}


def _metadata(pairs: list[str]) -> dict[str, str]:
    metadata = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise ConfigError(f"--metadata takes KEY=VALUE, not {pair!r}")
        metadata[key] = value
    return metadata
