"""The collector: every statistic becomes a documented metric, with the values of ``statistics()``."""

import math
import re
from collections.abc import Mapping

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from support.hand import Hand, peers
from support.smudge_hand import Hand as SmudgeHand
from swim_core import Address, DropReason, Member, NodeCrashed, Rule, State, Statistics
from swim_core.counters import BOUNDS, Counters, Histogram
from swim_core.native.wire.messages import Broadcast, Ping
from swim_core.statistics import MEANINGS
from swim_threads.prometheus import NodeCollector, Observable

A, B, C = peers(3)


def scrape(*nodes: Observable) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    """Samples by name and labels, as Prometheus reads them."""
    registry = CollectorRegistry(auto_describe=True)
    registry.register(NodeCollector(*nodes))
    samples: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            series = samples.setdefault(sample.name, {})
            assert frozenset(sample.labels.items()) not in series, "a series comes once"
            series[frozenset(sample.labels.items())] = sample.value
    return samples


def of(node: str, **labels: str) -> frozenset[tuple[str, str]]:
    return frozenset({"node": node, **labels}.items())


class Still:
    """A node whose statistics are as given."""

    def __init__(self, name: str, statistics: Statistics | None) -> None:
        self.local = Member(name, Address("10.0.0.1", 7946), 1, 0, State.ALIVE, {})
        self._statistics = statistics

    def statistics(self) -> Statistics:
        if self._statistics is None:
            raise NodeCrashed("a bug")
        return self._statistics


def busy() -> Hand:
    """A node that has counted things of most kinds."""
    hand = Hand(knows=[A, B, C])
    hand.feed(A, Ping(1, hand.short_id, 0), broadcasts=[Broadcast("p1", A.epoch, 1, b"x")])
    hand.feed(A, claims=[B.claim(State.DEAD, time=hand.cluster_time)])
    hand.feed_bytes(b"junk", A.address)
    hand.node.broadcast(b"y", now=hand.now)
    hand.run(5.0)
    return hand


def test_a_death_learnt_from_others_increases_a_series_of_any_one_node() -> None:
    """As Prometheus' `increase` needs it: the series exists before the first death, and never falls."""
    hand = Hand(knows=[A, B, C])
    quiet = scrape(hand.node)["swim_deaths_total"]
    assert quiet == {of("me", rule=rule.name.lower()): 0 for rule in Rule}
    hand.feed(A, claims=[B.claim(State.DEAD, by=C.short_id, rule=Rule.GONE, time=hand.cluster_time)])
    hand.feed(C, claims=[B.claim(State.DEAD, by=C.short_id, rule=Rule.GONE, time=hand.cluster_time)])  # the same again
    hand.feed(B, claims=[B.claim(incarnation=1)])
    hand.feed(A, claims=[B.claim(State.DEAD, by=C.short_id, rule=Rule.GONE, time=hand.cluster_time, incarnation=1)])
    hand.feed(A, claims=[C.claim(State.LEFT)])  # a goodbye isn't a death
    after = scrape(hand.node)
    increase = {series: value - quiet[series] for series, value in after["swim_deaths_total"].items()}
    assert increase == {series: 2 * (series == of("me", rule="gone")) for series in quiet}
    assert not any(after["swim_verdicts_total"].values())


@pytest.mark.parametrize("name", list(MEANINGS))
def test_every_statistic_is_a_metric_with_its_value(name: str) -> None:
    hand = busy()
    expected = metrics_of(name, getattr(hand.node.statistics(), name))
    found = scrape(hand.node)
    for metric, values in expected.items():
        assert found.get(metric, {}) == pytest.approx(values)


def metrics_of(name: str, value: object) -> Mapping[str, Mapping[frozenset[tuple[str, str]], float]]:
    """What a statistic should look like, computed in another way than the collector's."""
    label = {"dropped": "reason", "members": "state", "verdicts": "rule", "deaths": "rule"}.get(name, "message")
    kind = MEANINGS[name].kind
    metric = {
        "bytes_received": "swim_received_bytes",
        "bytes_sent": "swim_sent_bytes",
        "message_bytes_received": "swim_message_received_bytes",
        "message_bytes_sent": "swim_message_sent_bytes",
        "rtt_p50": "swim_rtt_p50_seconds",
        "rtt_p99": "swim_rtt_p99_seconds",
        "cluster_time": "swim_cluster_time_seconds",
    }.get(name, f"swim_{name}")
    if isinstance(value, Histogram):
        buckets = {of("me", le="+Inf" if bound == math.inf else str(bound)): n for bound, n in value.buckets}
        return {
            "swim_round_trips_seconds_bucket": buckets,
            "swim_round_trips_seconds_sum": {of("me"): value.sum},
            "swim_round_trips_seconds_count": {of("me"): value.count},
        }
    metric += "_total" if kind == "counter" else ""
    if isinstance(value, Mapping):
        every: list[object] = [*{"reason": DropReason, "state": State, "rule": Rule}.get(label, ())]
        words = {key: getattr(key, "name", str(key)).lower() for key in [*every, *value]}
        return {metric: {of("me", **{label: word}): value.get(key, 0) for key, word in words.items()}}
    if value is None:
        return {metric: {}}
    assert isinstance(value, int | float)
    return {metric: {of("me"): value / 1000 if name == "cluster_time" else float(value)}}


def test_the_busy_node_has_something_to_show() -> None:
    """Otherwise the test above would compare zeros."""
    statistics = busy().node.statistics()
    for name in ("datagrams_received", "bytes_sent", "messages_sent", "message_bytes_received", "dropped", "members"):
        assert getattr(statistics, name), name
    assert statistics.broadcasts_sent == statistics.broadcasts_delivered == 1
    assert statistics.round_trips.count > 0


def test_every_metric_says_what_it_is() -> None:
    registry = CollectorRegistry()
    registry.register(NodeCollector(busy().node))
    text = generate_latest(registry).decode()
    names = re.findall(r"^# TYPE (\S+) (?:counter|gauge|histogram)$", text, re.MULTILINE)
    documented = dict(re.findall(r"^# HELP (\S+) (.+)$", text, re.MULTILINE))
    assert len(names) == len(MEANINGS) + 3
    assert set(names) == set(documented)
    assert all(len(help) > 10 for help in documented.values())
    assert len(set(documented.values())) == len(documented)


def test_each_statistic_is_documented() -> None:
    assert list(Statistics.__struct_fields__) == list(MEANINGS)
    for name, meaning in MEANINGS.items():
        assert f"        {name}: {meaning.help}"[:60] in str(Statistics.__doc__)


def test_what_is_counted_is_told() -> None:
    counters = Counters()
    for name in counters.snapshot():
        assert name in MEANINGS
        assert MEANINGS[name].kind == "counter"
    counters.sent["ping"].add(10)
    counters.sent["ack"].add(5)
    assert Statistics(**counters.snapshot()) == Statistics(
        datagrams_sent=2, bytes_sent=15, messages_sent={"ping": 1, "ack": 1}, message_bytes_sent={"ping": 10, "ack": 5}
    )


def test_a_node_that_speaks_smudge_can_be_watched_too() -> None:
    hand = SmudgeHand()
    name = hand.node.local.name
    found = scrape(hand.node)
    assert found["swim_members"][of(name, state="alive")] == hand.node.statistics().members[State.ALIVE]
    assert found["swim_up"] == {of(name): 1}


def test_several_nodes_are_told_apart() -> None:
    found = scrape(Still("a", Statistics(syncs=1)), Still("b", Statistics(syncs=2)))
    assert found["swim_syncs_total"] == {of("a"): 1, of("b"): 2}
    assert found["swim_node_info"] == {
        of("a", address="10.0.0.1:7946"): 1,
        of("b", address="10.0.0.1:7946"): 1,
    }


def test_nodes_of_one_name_can_not_be_told_apart() -> None:
    with pytest.raises(ValueError, match="two nodes have the same name"):
        NodeCollector(Still("a", None), Still("a", None))


def test_of_a_node_that_failed_nothing_old_is_told() -> None:
    found = scrape(Still("broken", None), Still("fine", Statistics(syncs=2)))
    assert found["swim_up"] == {of("broken"): 0, of("fine"): 1}
    assert found["swim_syncs_total"] == {of("fine"): 2}


def test_names_can_hold_anything() -> None:
    name = 'quote " backslash \\ newline-free é'
    assert scrape(Still(name, Statistics()))["swim_up"] == {of(name): 1}


def test_two_collectors_do_not_fit_in_one_registry() -> None:
    registry = CollectorRegistry(auto_describe=True)
    registry.register(NodeCollector(Still("a", None)))
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(NodeCollector(Still("b", None)))


def test_to_add_a_collector_asks_no_node() -> None:
    class Untouchable(Still):
        def statistics(self) -> Statistics:
            raise AssertionError("asked")

    CollectorRegistry(auto_describe=True).register(NodeCollector(Untouchable("a", None)))


def test_a_histogram_counts_up_to_each_bound() -> None:
    counts = [0] * (len(BOUNDS) + 1)
    counts[0], counts[3], counts[-1] = 2, 1, 4
    histogram = Histogram.of(counts, 99.0)
    assert [count for _, count in histogram.buckets] == [2, 2, 2, *[3] * (len(BOUNDS) - 3), 7]
    assert histogram.buckets[-1] == (math.inf, 7)
    assert histogram.count == 7
    assert Histogram() == Histogram.of([0] * (len(BOUNDS) + 1), 0.0)


def test_the_keys_of_a_node_are_told_by_their_ids() -> None:
    held = scrape(Still("ann", Statistics(sealed=True, key={"a6215e9a": 1, "58013e5b": 0})))["swim_key"]
    assert held == {of("ann", id="a6215e9a"): 1.0, of("ann", id="58013e5b"): 0.0}
