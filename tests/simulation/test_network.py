"""The simulated network treats datagrams as configured, and repeatably from the same seed."""

import os
import subprocess
import sys
from statistics import fmean

import pytest

from swim_core import Address
from swim_core.simulation import Link, Network, Timeline

A, B, C = Address("10.0.0.1", 7946), Address("10.0.0.2", 7946), Address("10.0.0.3", 7946)
BESIDE_B = Address("10.0.0.2", 9999)


def run_to(network: Network, time: float) -> None:
    """Let everything up to ``time`` happen."""
    assert isinstance(network.timeline, Timeline)
    network.timeline.run_to(time)


class Ear:
    """Remembers what reached it, and when."""

    def __init__(self, network: Network, address: Address) -> None:
        self.network = network
        self.heard: list[tuple[float, bytes, Address]] = []
        self.refusals: list[tuple[float, Address, bytes]] = []
        network.bind(address, self)

    def receive(self, payload: bytes, source: Address) -> None:
        self.heard.append((self.network.timeline.now, payload, source))

    def refused(self, destination: Address, quoted: bytes) -> None:
        self.refusals.append((self.network.timeline.now, destination, quoted))


def pair(link: Link | None = None, seed: int = 1) -> tuple[Network, Ear, Ear]:
    network = Network(seed, link=link)
    return network, Ear(network, A), Ear(network, B)


def test_a_datagram_takes_the_time_of_its_link() -> None:
    network, _, b = pair(Link.exact(0.025))
    network.send(A, B, b"hello")
    run_to(network, 1.0)
    assert b.heard == [(0.025, b"hello", A)]


def test_latency_is_delay_and_jitter_and_processing() -> None:
    network, _, b = pair(Link(delay=0.01, jitter=0.002, processing=0.004))
    for _ in range(2_000):
        network.send(A, B, b"x")
    run_to(network, 1.0)
    times = [time for time, _, _ in b.heard]
    assert min(times) >= 0.01
    assert fmean(times) == pytest.approx(0.014, rel=0.03)


def test_loss_takes_its_share() -> None:
    network, _, b = pair(Link(loss=0.1))
    for _ in range(10_000):
        network.send(A, B, b"x")
    run_to(network, 1.0)
    assert 8_900 < len(b.heard) < 9_100
    assert network.traffic.lost == 10_000 - len(b.heard)


def test_duplicates_arrive_twice_each_in_its_own_time() -> None:
    network, _, b = pair(Link(duplication=0.25))
    for number in range(1_000):
        network.send(A, B, b"%d" % number)
    run_to(network, 1.0)
    assert len(b.heard) == 1_000 + network.traffic.duplicated
    assert 200 < network.traffic.duplicated < 300
    assert len({time for time, _, _ in b.heard}) == len(b.heard)


def test_without_jitter_order_is_kept_and_reordering_breaks_it() -> None:
    def order(link: Link) -> list[bytes]:
        network, _, b = pair(link)
        for number in range(200):
            run_to(network, number * 0.001)
            network.send(A, B, b"%03d" % number)
        run_to(network, 1.0)
        return [payload for _, payload, _ in b.heard]

    exact = Link.exact(0.005)
    assert order(exact) == sorted(order(exact))
    held = order(Link(delay=0.005, jitter=0.0, processing=0.0, reordering=0.1))
    assert held != sorted(held)
    assert sorted(held) == order(exact)


def test_a_cut_is_one_way_until_it_is_mended() -> None:
    network, a, b = pair()
    network.cut(A, B)
    network.send(A, B, b"never")
    network.send(B, A, b"back")
    run_to(network, 1.0)
    network.mend(A, B)
    network.send(A, B, b"now")
    run_to(network, 2.0)
    assert [payload for _, payload, _ in a.heard] == [b"back"]
    assert [payload for _, payload, _ in b.heard] == [b"now"]
    assert network.traffic.blocked == 1


def test_a_partition_separates_groups_and_those_in_none_stay_together() -> None:
    network = Network(1)
    d = Address("10.0.0.4", 7946)
    ears = {address: Ear(network, address) for address in (A, B, C, d)}
    network.partition([[A, B]])
    for source in ears:
        for destination in ears:
            if source != destination:
                network.send(source, destination, b"x")
    run_to(network, 1.0)
    assert {address: [source for _, _, source in ear.heard] for address, ear in ears.items()} == {
        A: [B],
        B: [A],
        C: [d],
        d: [C],
    }
    network.heal()
    network.send(A, C, b"healed")
    run_to(network, 2.0)
    assert ears[C].heard[-1][1] == b"healed"


def test_what_is_on_its_way_when_a_partition_begins_still_arrives() -> None:
    network, _, b = pair()
    network.send(A, B, b"x")
    network.partition([[A], [B]])
    run_to(network, 1.0)
    assert len(b.heard) == 1


def test_a_link_of_its_own_holds_in_one_direction() -> None:
    network, a, b = pair(Link.exact(0.001))
    network.set_link(A, B, Link.exact(0.5))
    network.send(A, B, b"slow")
    network.send(B, A, b"fast")
    run_to(network, 1.0)
    assert (b.heard[0][0], a.heard[0][0]) == (0.5, 0.001)
    network.set_link(A, B, None)
    network.send(A, B, b"fast too")
    run_to(network, 2.0)
    assert b.heard[1][0] == 1.001


def test_a_port_where_nobody_listens_is_refused_after_a_round_trip() -> None:
    network, a, _ = pair(Link.exact(0.01))
    network.send(A, BESIDE_B, b"anyone there")
    run_to(network, 1.0)
    assert a.refusals == [(0.02, BESIDE_B, b"anyone there")]
    assert network.traffic.refused == 1


def test_a_refusal_quotes_what_a_kernel_quotes() -> None:
    network, a, _ = pair()
    network.send(A, BESIDE_B, bytes(1_000))
    run_to(network, 1.0)
    assert len(a.refusals[0][2]) == 520


def test_a_lost_host_is_silent_and_so_is_one_that_never_was() -> None:
    network, a, _ = pair()
    network.lose_host(B.host)
    network.send(A, B, b"x")
    network.send(A, BESIDE_B, b"x")
    network.send(A, C, b"x")
    run_to(network, 1.0)
    assert not a.refusals
    assert network.traffic.vanished == 3


def test_a_closed_socket_refuses_or_is_silent_as_told_and_can_be_bound_again() -> None:
    network, a, _ = pair()
    network.close(B)
    network.send(A, B, b"x")
    run_to(network, 1.0)
    assert len(a.refusals) == 1
    again = Ear(network, B)
    network.close(B, refuses=False)
    network.send(A, B, b"x")
    run_to(network, 2.0)
    assert len(a.refusals) == 1
    assert not again.heard


def test_an_address_is_bound_once() -> None:
    network, _, _ = pair()
    with pytest.raises(ValueError, match="in use"):
        Ear(network, A)


def test_refusals_are_limited_like_linux_does() -> None:
    network, a, _ = pair()
    for number in range(100):  # 5 a second
        run_to(network, number * 0.2)
        network.send(A, BESIDE_B, b"x")
    run_to(network, 30.0)
    assert 24 <= len(a.refusals) <= 26  # 6 at once, and then 1 a second for 20 s
    network.limit_refusals = False
    for _ in range(50):
        network.send(A, BESIDE_B, b"x")
    run_to(network, 31.0)
    assert len(a.refusals) >= 74


def test_loopback_is_exempt_from_the_limit() -> None:
    network = Network(1)
    ear = Ear(network, Address("127.0.0.1", 1))
    for _ in range(50):
        network.send(Address("127.0.0.1", 1), Address("127.0.0.1", 2), b"x")
    run_to(network, 1.0)
    assert len(ear.refusals) == 50


def test_a_refusal_can_be_lost_and_blocked_on_its_way_back() -> None:
    network, a, _ = pair()
    network.cut(B, A)
    network.cut(BESIDE_B, A)
    network.send(A, BESIDE_B, b"x")
    run_to(network, 1.0)
    assert not a.refusals


def test_the_tap_sees_the_fate_of_each_datagram() -> None:
    network, _, _ = pair()
    seen: list[str] = []
    network.tap = lambda what, source, destination, payload: seen.append(what)
    network.send(A, B, b"x")
    network.cut(A, B)
    network.send(A, B, b"x")
    network.send(A, BESIDE_B, b"x")
    run_to(network, 1.0)
    network.heal()
    network.link = Link(loss=1.0)
    network.send(A, B, b"x")
    assert seen == ["sent", "sent", "blocked", "sent", "delivered", "refused", "sent", "lost"]


def test_every_datagram_is_accounted_for() -> None:
    network, _, _ = pair(Link(loss=0.2, duplication=0.2, reordering=0.2))
    network.cut(B, A)
    for _ in range(500):
        for source, destination in ((A, B), (B, A), (A, BESIDE_B), (A, C)):
            network.send(source, destination, b"x")
    run_to(network, 9.0)
    fate = network.traffic
    assert fate.sent == 2_000
    assert fate.sent + fate.duplicated == fate.delivered + fate.lost + fate.blocked + fate.refused + fate.vanished


@pytest.mark.parametrize("field", ["loss", "duplication", "reordering"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_probabilities_are_checked(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        Link(**{field: value})


@pytest.mark.parametrize("field", ["delay", "jitter", "processing", "holding"])
@pytest.mark.parametrize("value", [-0.1, float("inf"), float("nan")])
def test_durations_are_checked(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        Link(**{field: value})


def chatter(seed: int) -> str:
    """A digest of a run in which everybody answers everybody over a bad network."""
    network = Network(seed, link=Link(loss=0.1, duplication=0.1, reordering=0.1))

    class Chatterbox(Ear):
        def receive(self, payload: bytes, source: Address) -> None:
            super().receive(payload, source)
            if len(payload) < 40:
                network.send(B if source == A else A, source, payload + b"!")

    for address in (A, B):
        Chatterbox(network, address)
    for number in range(50):
        network.send(A, B, b"%d" % number)
    run_to(network, 60.0)
    assert network.traffic.delivered > 100
    return network.digest


def test_a_run_is_a_function_of_its_seed() -> None:
    assert chatter(1) == chatter(1)
    assert chatter(1) != chatter(2)


@pytest.mark.processes
def test_a_run_does_not_depend_on_the_hash_seed() -> None:
    program = "import sys; sys.path.insert(0, sys.argv[1]); import test_network; print(test_network.chatter(5))"
    digests = {
        subprocess.run(
            [sys.executable, "-c", program, os.path.dirname(__file__)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            text=True,
            timeout=60,
        ).stdout.strip()
        for hash_seed in ("1", "2")
    }
    assert digests == {chatter(5)}


def test_links_of_all_that_leaves_or_arrives_and_which_goes_first() -> None:
    network = Network(1, link=Link.exact(0.5))
    ears = {address: Ear(network, address) for address in (A, B, C)}
    network.set_link(A, None, Link.exact(0.1))
    network.set_link(None, B, Link.exact(0.2))
    network.set_link(A, C, Link.exact(0.3))
    for source, destination in ((A, B), (A, C), (C, B), (B, C)):
        network.send(source, destination, b"")
    run_to(network, 1.0)
    assert {source: time for time, _, source in ears[B].heard} == pytest.approx({A: 0.1, C: 0.2})
    assert {source: time for time, _, source in ears[C].heard} == pytest.approx({A: 0.3, B: 0.5})
    network.set_link(A, None, None)
    network.send(A, B, b"")
    run_to(network, 2.0)
    assert ears[B].heard[-1][0] == pytest.approx(1.2)
