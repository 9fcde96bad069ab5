"""What ``--discover multicast`` means under each protocol."""

import pytest

from swim_anyio.command.agent_options import AgentOptions
from swim_anyio.command.choices import Discovery, Protocol
from swim_anyio.command.settings import NodeSettings, read_settings
from swim_core import Address, Multicast


def read(protocol: Protocol, discover: Discovery | None) -> NodeSettings:
    return read_settings(AgentOptions(protocol=protocol, discover=discover))


def test_the_native_protocol_discovers_where_it_is_told_to() -> None:
    assert read(Protocol.NATIVE, None).discover is None
    assert read(Protocol.NATIVE, Discovery.MULTICAST).discover == Multicast()


@pytest.mark.parametrize(
    ("variable", "discover", "group"),
    [
        ("", None, Address("224.0.0.0", 9998)),
        ("false", None, None),
        ("false", Discovery.MULTICAST, Address("224.0.0.0", 9998)),
        ("true", Discovery.MULTICAST, Address("224.0.0.0", 9998)),
    ],
)
def test_smudges_does_unless_a_variable_says_no_and_never_in_the_native_group(
    variable: str, discover: Discovery | None, group: Address | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMUDGE_MULTICAST_ENABLED", variable)
    settings = read(Protocol.SMUDGE, discover)
    assert settings.discover is None  # so that the configuration's own setting counts
    discovery = settings.config.discovery
    assert (discovery and discovery.ipv4) == group
