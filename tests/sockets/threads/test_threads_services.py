"""Seeds named by SRV records: all their targets are asked, each at its port."""

import socket
import sys
import threading
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from support.fake_node import FakeConfig
from support.names import Names
from support.waiting import HERE, SOON, wait_until
from swim_core import ConfigError
from swim_threads import open_node
from swim_threads.lookups import resolve
from swim_threads.services import is_service, targets

pytestmark = pytest.mark.sockets

SERVICE = "_swim._udp.example"


class Services:
    """Stands in for dnspython."""

    class DNSException(Exception):
        pass

    def __init__(self) -> None:
        self.records: dict[str, list[tuple[str, int]]] = {}

    def resolve(self, name: str, kind: str, *, lifetime: float) -> list[Any]:
        assert kind == "SRV"
        assert lifetime < 10
        if name not in self.records:
            raise self.DNSException("no such name")
        return [SimpleNamespace(target=target, port=port) for target, port in self.records[name]]


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Services:
    it = Services()
    for name in ("dns", "dns.resolver", "dns.exception"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(sys.modules["dns.resolver"], "resolve", it.resolve, raising=False)
    monkeypatch.setattr(sys.modules["dns.exception"], "DNSException", it.DNSException, raising=False)
    return it


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    it = Names()
    monkeypatch.setattr("socket.getaddrinfo", it.getaddrinfo)
    return it


def test_what_is_the_name_of_a_service() -> None:
    assert is_service(SERVICE)
    for host in ("example", "_example", "_swim.example", "swim._udp.example", "127.0.0.1", ""):
        assert not is_service(host)


def test_all_targets_are_asked_each_at_its_port(services: Services, names: Names) -> None:
    names.known = {"one.example": ["127.0.0.1", "127.0.0.2"]}
    services.records[SERVICE] = [("one.example.", 7), ("gone.example.", 8), ("127.0.0.3", 9), ("one.example.", 7)]
    config = FakeConfig()
    with open_node(HERE, join=SERVICE, config=config):
        wait_until(lambda: len(config.node.joins) == 2)
        assert config.node.joins[1] == [("127.0.0.1", 7), ("127.0.0.2", 7), ("127.0.0.3", 9)]


def test_one_that_has_no_records_or_says_that_there_is_none_does_not_resolve(services: Services, names: Names) -> None:
    with pytest.raises(OSError, match="no such name"):
        resolve(SERVICE, 1)
    services.records[SERVICE] = [(".", 0)]
    with pytest.raises(OSError, match="no such service"):
        resolve(SERVICE, 1)
    services.records[SERVICE] = [("gone.example", 7)]
    with pytest.raises(socket.gaierror):
        resolve(SERVICE, 1)


def test_without_dnspython_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = {name for name in sys.modules if name.split(".")[0] == "dns"}  # by an earlier test
    for name in loaded | {"dns", "dns.resolver"}:
        monkeypatch.setitem(sys.modules, name, None)
    config = FakeConfig()
    with pytest.raises(ConfigError, match=r"_swim\._udp\.example.*swim-membership\[dns\]"):
        open_node(HERE, join=SERVICE, config=config)
    assert not config.nodes
    with open_node(HERE, join="127.0.0.7:9", config=config) as node:
        with pytest.raises(ConfigError, match="swim-membership"):
            node.join([(SERVICE, 9)])
        assert config.node.joins == [[("127.0.0.7", 9)]]
    with pytest.raises(OSError, match="swim-membership"):
        targets(SERVICE)


def test_with_dnspython_and_a_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = pytest.importorskip("dns.resolver")
    message, rrset = import_module("dns.message"), import_module("dns.rrset")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(HERE)
        server.settimeout(SOON)
        ours = resolver.Resolver(configure=False)
        ours.nameservers, ours.port = [HERE[0]], server.getsockname()[1]
        monkeypatch.setattr(resolver, "default_resolver", ours)

        def answer() -> None:
            data, source = server.recvfrom(4096)
            response = message.make_response(message.from_wire(data))
            records = ("10 5 7001 127.0.0.1.", "20 5 7002 two.example.")
            response.answer.append(rrset.from_text(f"{SERVICE}.", 60, "IN", "SRV", *records))
            server.sendto(response.to_wire(), source)

        thread = threading.Thread(target=answer)
        thread.start()
        assert set(targets(SERVICE)) == {("127.0.0.1", 7001), ("two.example", 7002)}
        thread.join(SOON)
