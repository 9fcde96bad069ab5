"""What an agent says if it is given a seed on another host, but not where to listen."""

import pytest

from swim_anyio.command import reach
from swim_anyio.command.reach import check_reach
from swim_anyio.command.settings import NodeSettings
from swim_core import Address, Config, ConfigError
from swim_core.smudge import SmudgeConfig

HERE, SOURCE = "10.0.0.5", "10.0.0.5"
NAMES = {"seed": "10.0.0.1", "own": "127.0.1.1"}


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two addresses, a route, three names, no settings."""

    def resolve_within(host: str, port: int, seconds: float) -> tuple[Address, ...]:
        if host not in NAMES:
            raise OSError("no such name")
        return Address(NAMES[host], port), Address("fd00::1", port)

    def route_source(destination: Address) -> str | None:
        return SOURCE if destination.host.startswith("10.") else None

    monkeypatch.setattr(reach, "resolve_within", resolve_within)
    monkeypatch.setattr(reach, "route_source", route_source)
    monkeypatch.setattr(reach, "is_local", lambda host: host == HERE)
    monkeypatch.setattr("sys.argv", ["pytest"])
    for name in ("SWIM_BIND", "SWIM_JOIN"):
        monkeypatch.delenv(name, raising=False)


def settings(*join: str, bind: str | None = None) -> NodeSettings:
    return NodeSettings(bind, list(join) or None, Config.lan())


def refusal(*join: str) -> str:
    with pytest.raises(ConfigError) as caught:
        check_reach(settings(*join))
    return str(caught.value)


def test_it_says_the_very_line_to_type() -> None:
    assert refusal("10.0.0.1:7000").endswith(": swim agent --bind 10.0.0.5:7946 --join 10.0.0.1:7000")
    assert "127.0.0.1" in refusal("10.0.0.1")
    assert refusal("seed", "10.0.0.2").endswith("--bind 10.0.0.5:7946 --join seed:7946 --join 10.0.0.2:7946")


def test_what_else_was_typed_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["swim", "agent", "--join", "seed", "--metadata", "a=b c"])
    assert refusal("seed").endswith(": swim agent --bind 10.0.0.5:7946 --join seed --metadata 'a=b c'")


def test_without_a_route_a_wildcard_is_what_is_left() -> None:
    assert "--bind 0.0.0.0:7946" in refusal("192.0.2.1")


def test_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWIM_JOIN", "10.0.0.1")
    assert "10.0.0.1" in refusal()
    monkeypatch.setenv("SWIM_BIND", "127.0.0.1")
    check_reach(settings())


@pytest.mark.parametrize("seed", ["127.0.0.1", "[::1]:7", "own", "10.0.0.5", "unknown"])
def test_seeds_that_are_here_or_may_be_are_joined(seed: str) -> None:
    check_reach(settings(seed))
    check_reach(settings("10.0.0.1", seed) if seed != "unknown" else settings(seed))


def test_who_says_where_to_listen_is_left_alone() -> None:
    check_reach(settings("10.0.0.1", bind="127.0.0.1:0"))
    check_reach(settings())
    check_reach(NodeSettings(None, ["10.0.0.1"], SmudgeConfig()))
