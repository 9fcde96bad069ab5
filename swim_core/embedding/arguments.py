"""How every adapter's `open_node` reads its arguments and the environment; pure functions, so that all adapters
agree."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

import msgspec

from swim_core.discovery import Multicast
from swim_core.errors import ConfigError
from swim_core.keys import Keys
from swim_core.member import MAX_NAME, check_name
from swim_core.native.config import SWITCH, Config
from swim_core.protocol import ProtocolConfig

from .host_port import HostPort, read_host_port, read_listen, read_seeds

__all__ = ["Arguments", "check_listeners", "misspelt", "read_arguments", "read_insecure", "read_keys"]

T = TypeVar("T")

DEFAULT_BIND = "127.0.0.1"
VARIABLES = {
    *(
        "SWIM_BIND",
        "SWIM_DRIVER",
        "SWIM_INSECURE",
        "SWIM_JOIN",
        "SWIM_KEY",
        "SWIM_KEY_FILE",
        "SWIM_NAME",
        "SWIM_PRESET",
    ),
    *(f"SWIM_{name.upper()}" for name in Config.__struct_fields__),
}
"""The environment variables that are read."""


class PathLike(Protocol):
    """A path, as `os.PathLike` of text is."""

    def __fspath__(self) -> str: ...


class Arguments(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of a node, complete and checked; hosts may still be names to resolve.

    Attributes:
        bind: host and port to listen on; port 0 lets the system choose. The host may also be an interface, or a
            network of which this host has an address.
        name: of the node.
        join: hosts and ports of the seeds, in order, each once.
        config: settings of the protocol.
        advertise: host and port under which others reach the node, port 0 for the bound one; None for
            the bound address.
        metadata: strings that others see.
        discover: how to find others beside ``join``; None for not at all.
        keys: keys that seal datagrams; None for none, or if they are in a file.
        key_file: the file with the keys; None for none.
        insecure: whether it may be reached from other hosts without keys.
    """

    bind: tuple[str, int]
    name: str
    join: tuple[tuple[str, int], ...]
    config: ProtocolConfig
    advertise: tuple[str, int] | None
    metadata: Mapping[str, str] | None
    discover: Multicast | None = None
    keys: Keys | None = None
    key_file: str | None = None
    insecure: bool = False


def read_arguments(
    bind: HostPort | None = None,
    *,
    name: str | None = None,
    join: HostPort | Iterable[HostPort] | None = None,
    config: ProtocolConfig | None = None,
    advertise: HostPort | None = None,
    metadata: Mapping[str, str] | None = None,
    cluster: str | None = None,
    discover: Multicast | None = None,
    keys: Keys | str | Iterable[str] | None = None,
    key_file: str | PathLike | None = None,
    insecure: bool | None = None,
    environ: Mapping[str, str],
    hostname: str,
    suffix: str,
) -> Arguments:
    """Complete the arguments of a node from the environment and the defaults.

    Args:
        bind: else the configuration's, else ``SWIM_BIND``, else 127.0.0.1:7946.
        name: else ``SWIM_NAME``, else the host's name and ``suffix``.
        join: seeds, also as one comma-separated string; else the configuration's, else ``SWIM_JOIN``, else none.
        config: taken as it is; else `Config.from_env` on the lan preset.
        advertise: without a port, the bound one.
        metadata: strings that others see.
        cluster: the label, over the one in ``config``; without either ``SWIM_CLUSTER``.
        discover: else what the configuration says.
        keys: or their texts, the preferred first.
        key_file: or a file of them; without either ``SWIM_KEY_FILE``, else ``SWIM_KEY``, else none. A protocol that
            can't be sealed leaves the variables alone.
        insecure: else ``SWIM_INSECURE``, else not.
        environ: the environment; empty variables count as unset.
        hostname: of this host, for the default name.
        suffix: random characters, for the default name.

    Raises:
        ConfigError: if a value can't be used; the message names the argument or the variable.
    """
    config = _config(config, cluster, environ)
    held, file = read_keys(keys, _path(key_file), environ if isinstance(config, Config) else {})
    return Arguments(
        bind=read_listen("bind", bind) if bind is not None else config.listen or _bind_from(environ),
        name=_name(name, environ) or _default_name(hostname, suffix),
        join=read_seeds("join", join) if join is not None else config.seeds or _seeds_from(environ),
        config=config,
        advertise=None if advertise is None else read_host_port("advertise", advertise, default_port=0),
        metadata=metadata,
        discover=_discover(discover, config),
        keys=held,
        key_file=file,
        insecure=read_insecure(insecure, environ),
    )


def _path(path: str | PathLike | None) -> str | None:
    if path is None or isinstance(path, str):
        return path
    text = path.__fspath__() if hasattr(path, "__fspath__") else None
    if not isinstance(text, str):
        raise ConfigError(f"key_file: give the path of a file, not {path!r}")
    return text


def read_insecure(insecure: bool | None, environ: Mapping[str, str]) -> bool:
    """Whether plain datagrams beyond loopback are wanted, by the argument, else by ``SWIM_INSECURE``.

    Raises:
        ConfigError: if it is neither true nor false.
    """
    if insecure is None:
        return _switch("SWIM_INSECURE", environ)
    if not isinstance(insecure, bool):  # "false" would be true
        raise ConfigError(f"insecure: give True or False, not {insecure!r}")
    return insecure


def _switch(variable: str, environ: Mapping[str, str]) -> bool:
    text = environ.get(variable) or "false"
    if text.lower() not in SWITCH:
        raise ConfigError(f"{variable} must be true or false, not {text!r}")
    return SWITCH[text.lower()]


def read_keys(
    keys: Keys | str | Iterable[str] | None, key_file: str | None, environ: Mapping[str, str]
) -> tuple[Keys | None, str | None]:
    """The keys, or the file that holds them, from arguments or variables.

    Raises:
        ConfigError: if both are given, or a key can't be used.
    """
    if keys is not None and key_file is not None:
        raise ConfigError("keys and key_file: give one of them")
    if keys is not None:
        return Keys.of(keys), None
    if key_file is not None:
        return None, key_file
    file, texts = environ.get("SWIM_KEY_FILE"), environ.get("SWIM_KEY")
    if file and texts:
        raise ConfigError("SWIM_KEY_FILE and SWIM_KEY: set one of them")
    return Keys.parse(texts, "SWIM_KEY") if texts else None, file or None


def _seeds_from(environ: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
    return read_seeds("SWIM_JOIN", environ.get("SWIM_JOIN", ""))


def _bind_from(environ: Mapping[str, str]) -> tuple[str, int]:
    return read_listen("SWIM_BIND", environ.get("SWIM_BIND") or DEFAULT_BIND)


def misspelt(environ: Mapping[str, str]) -> Iterator[str]:
    """Warnings about variables of an environment that nothing reads and that resemble one that is read."""
    unknown = [name for name in environ if name.startswith("SWIM_") and name not in VARIABLES]
    if unknown:
        from difflib import get_close_matches  # rarely needed, and it takes a while to import

        for name in sorted(unknown):
            for meant in get_close_matches(name, VARIABLES, n=1, cutoff=0.8):
                yield f"nothing reads the variable {name}: is {meant} meant?"


def check_listeners(listeners: Iterable[Callable[..., T]]) -> tuple[Callable[..., T], ...]:
    """The listeners, checked to be callable.

    Raises:
        ConfigError: if one isn't callable, or if they aren't a list.
    """
    if not isinstance(listeners, Iterable):
        raise ConfigError(f"listeners: pass a list of functions of one event, not {listeners!r}")
    listeners = tuple(listeners)
    for listener in listeners:
        if not callable(listener):
            raise ConfigError(f"listeners: pass functions of one event, not {listener!r}")
    return listeners


def _name(name: str | None, environ: Mapping[str, str]) -> str | None:
    source = "name"
    if name is None:
        source, name = "SWIM_NAME", environ.get("SWIM_NAME") or None
    if name is not None and not isinstance(name, str):
        raise ConfigError(f"{source}: give a str, not {name!r}")
    if name is not None:
        try:
            check_name(name)
        except ValueError as error:
            raise ConfigError(f"{source}: {error}") from None
    return name


def _default_name(hostname: str, suffix: str) -> str:
    """The host's name, cut to leave room for the suffix, and the suffix."""
    printable = "".join(c for c in hostname if c.isprintable()) or "node"
    room = MAX_NAME - len(suffix.encode()) - 1
    return f"{printable.encode()[:room].decode(errors='ignore')}-{suffix}"


def _config(config: ProtocolConfig | None, cluster: str | None, environ: Mapping[str, str]) -> ProtocolConfig:
    if config is None:
        return Config.from_env(environ) if cluster is None else Config.from_env(environ, cluster=cluster)
    if not callable(getattr(config, "create_node", None)):
        raise ConfigError(f"config: give Config.lan() or another configuration, not {config!r}")
    if cluster is None:
        return config
    if not isinstance(config, Config):
        raise ConfigError("cluster: the protocol of this config has no cluster label")
    return config.replace(cluster=cluster)


def _discover(discover: Multicast | None, config: ProtocolConfig) -> Multicast | None:
    if discover is not None and not isinstance(discover, Multicast):
        raise ConfigError(f"discover: pass Multicast(), not {discover!r}")
    return config.discovery if discover is None else discover
