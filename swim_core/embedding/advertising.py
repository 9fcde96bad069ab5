"""The address at which others reach a node, and whether they can; pure functions, so that all adapters agree."""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from swim_core.address import Address, is_loopback
from swim_core.errors import ConfigError, KeyMissing
from swim_core.native.config import Config
from swim_core.protocol import ProtocolConfig

__all__ = ["Advertised", "advertised_address", "check_exposure", "is_wildcard", "label_warning", "names_itself"]

LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # the keys are the wildcards
# documentation addresses (RFC 5737, 3849), which the default routes lead to; nothing is ever sent there
OUTSIDE = {4: Address("198.51.100.1", 9), 6: Address("2001:db8::1", 9)}
ANOTHER = "pass advertise to choose another"


class Advertised(msgspec.Struct, frozen=True):
    """The address under which a node is known, and what to tell the operator of how it was chosen.

    Attributes:
        address: numeric, with a port.
        notice: for the log; None where there was no choice to make.
        doubtful: whether the notice is a warning: it is a guess, or other hosts can't reach the node.
    """

    address: Address
    notice: str | None = None
    doubtful: bool = False


def advertised_address(
    bound: Address,
    advertise: Address | None,
    seeds: Sequence[Address],
    *,
    dual_stack: bool,
    route_source: Callable[[Address], str | None],
    hosts: Callable[[], Iterable[str]] = tuple,
) -> Advertised:
    """Choose the address at which others are to reach a node. For a wildcard a route decides.

    Args:
        bound: the socket's address, its port resolved.
        advertise: what the user wants; port 0 means the bound one.
        seeds: numeric addresses of the seeds, as far as they are known.
        dual_stack: whether a socket bound to "::" takes IPv4 too.
        route_source: gives the source address of the route to a destination; None if there is no route.
        hosts: gives this host's own addresses that others may reach, the likeliest first; asked where no route helps.

    Raises:
        ConfigError: if nobody could reach the node at ``advertise``.
    """
    families = [6, 4] if bound.host == "::" and dual_stack else [_family(bound.host)]
    if advertise is not None:
        return _as_wanted(bound, Address(advertise.host, advertise.port or bound.port), families)
    if not is_wildcard(bound):
        return Advertised(bound)
    known = [seed for seed in seeds if _family(seed.host) in families]
    remote = [seed for seed in known if not is_loopback(seed)]
    # If all seeds are on this host, the cluster is on this host. Beside other seeds, one on loopback is the host's own
    # name: many systems give themselves 127.0.1.1.
    for seed in remote or known:
        if (host := route_source(seed)) is not None and (not remote or not is_loopback(Address(host, 0))):
            return _chosen(host, bound, f"from the route to the seed {seed}")
    for family in families:
        if (host := route_source(OUTSIDE[family])) is not None:
            return _chosen(host, bound, "from the default route")
    for host in hosts():
        if _family(host) in families:
            return _chosen(
                host, bound, "a guess from the interfaces of this host, as no route leads out", doubtful=True
            )
    where = "which other hosts can't reach, as this host has no address and no route yet"
    return _chosen(LOOPBACK_OF[bound.host], bound, where, doubtful=True)


def is_wildcard(bound: Address) -> bool:
    """Whether a socket at ``bound`` listens on every address of its host."""
    return bound.host in LOOPBACK_OF


def check_exposure(bound: Address, config: ProtocolConfig, *, sealed: bool, insecure: bool) -> str | None:
    """Refuse a node that can be reached from other hosts, and that anybody there could speak to.

    Args:
        bound: where it listens.
        config: of its protocol.
        sealed: whether it has keys.
        insecure: whether its user wants to go without.

    Returns:
        A warning instead, if its protocol can't be sealed.

    Raises:
        KeyMissing: if it needs a key. The message says what to type.
    """
    if is_loopback(bound) or sealed or insecure:
        return None
    if isinstance(config, Config):
        raise KeyMissing(
            f"{bound} can be reached from other hosts, and there is no key: whoever reaches it could forge membership."
            " `swim keygen swim.key` makes one for all members (SWIM_KEY_FILE, --key-file, key_file=); to go without,"
            " pass --insecure (SWIM_INSECURE=1, insecure=True)"
        )
    return (
        f"listening on {bound}, and this protocol can't be sealed: whoever reaches this port can read, join, and forge"
        " deaths and broadcasts; keep it on a trusted network (--insecure, SWIM_INSECURE=1 or insecure=True says that"
        " it is)"
    )


def label_warning(bound: Address, config: ProtocolConfig) -> str | None:
    """The warning for a node that listens beyond loopback in a cluster without a label; None if none is needed."""
    if is_loopback(bound) or not isinstance(config, Config) or config.cluster:
        return None
    return (
        "its cluster has no label, and merges with every other one without that it ever hears of;"
        " give all members one, as by cluster='orders-production', --cluster or SWIM_CLUSTER"
    )


def names_itself(name: str, address: Address) -> bool:
    """Whether a seed's ``name`` stands for a loopback address as a host's own name does, in its own file of hosts.

    Such a name says nothing about where the others are, while "localhost" says that they are on this host.
    """
    numeric = ":" in name or name.startswith("127.")
    last = name.rstrip(".").rpartition(".")[2].lower()
    return is_loopback(address) and not numeric and last not in ("localhost", "localdomain")


def _as_wanted(bound: Address, wanted: Address, families: Sequence[int]) -> Advertised:
    """``wanted``, if datagrams to it can arrive at ``bound``; with a warning if that takes an address translation."""
    if is_wildcard(wanted):
        raise ConfigError(f"advertise: {wanted.host} is a wildcard, which nobody can send to")
    if _family(wanted.host) not in families:
        spoken, asked = families[0], _family(wanted.host)
        raise ConfigError(
            f"advertise: {wanted.host} is IPv{asked}, and a socket bound to {bound.host} speaks IPv{spoken} only:"
            f" bind an IPv{asked} address, or [::] for both"
        )
    if is_loopback(wanted) and not is_loopback(bound):
        return Advertised(wanted, f"advertising {wanted}, which other hosts can't reach: advertise another", True)
    if is_loopback(bound) and not is_loopback(wanted):
        where = f"listening on {bound}, which nothing sent to {wanted} from another host gets to by itself"
        return Advertised(wanted, f"{where}: bind {wanted.host} or a wildcard", True)
    return Advertised(wanted)


def _chosen(host: str, bound: Address, why: str, *, doubtful: bool = False) -> Advertised:
    chosen = Address(host, bound.port)
    return Advertised(chosen, f"advertising {chosen}, {why}; {ANOTHER}", doubtful)


def _family(host: str) -> int:
    return 6 if ":" in host else 4
