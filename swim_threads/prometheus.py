"""The statistics of nodes as Prometheus metrics, for any registry of prometheus-client (the ``metrics`` extra).

    REGISTRY.register(NodeCollector(node))

The meaning, kind and unit of a metric come from `swim_core.statistics`, so that a new statistic is also a new metric.
This module knows nothing about threads; `swim_anyio.prometheus` adds how to ask a node from outside its loop.
"""

import platform
from collections.abc import Iterator, Mapping
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Generic, Protocol, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from swim_core import Member, Statistics, SwimError
from swim_core.counters import Histogram
from swim_core.statistics import MEANINGS, Meaning

__all__ = ["NodeCollector", "Observable"]

UNITS: Mapping[str, tuple[str, float]] = {
    "seconds": ("seconds", 1),
    "milliseconds": ("seconds", 0.001),
    "bytes": ("bytes", 1),
}
"""For each unit of a statistic, that of its metric, which is always a base unit, and the conversion factor."""


class Observable(Protocol):
    """What a collector needs of a node."""

    @property
    def local(self) -> Member:
        """The node itself."""

    def statistics(self) -> Statistics:
        """A snapshot of counters and sizes."""


N = TypeVar("N", bound=Observable)


class NodeCollector(Collector, Generic[N]):
    """Collects the statistics of nodes whenever its registry is scraped. It is as thread-safe as the nodes are.

    Every sample has the node's name as the label ``node``. A node that can't be asked because it failed has ``swim_up``
    0 and no other sample, so nothing out of date is reported. Unregister the collector when its nodes are closed.

    Args:
        nodes: all nodes of this registry, which accepts only one collector of this kind.

    Raises:
        ValueError: if two of them have the same name.
    """

    def __init__(self, *nodes: N) -> None:
        members = [node.local for node in nodes]
        self._nodes = {member.name: node for member, node in zip(members, nodes, strict=True)}
        if len(self._nodes) < len(nodes):
            raise ValueError(f"two nodes have the same name: {[member.name for member in members]}")
        self._addresses = {member.name: str(member.address) for member in members}

    def read(self) -> Mapping[str, Statistics]:
        """The statistics of the nodes that can be asked at the moment, by name."""
        found = {}
        for name, node in self._nodes.items():
            try:
                found[name] = node.statistics()
            except SwimError:
                continue
        return found

    def describe(self) -> Iterator[Metric]:
        """The metrics without samples, which a registry asks for when the collector is added."""
        return self._metrics({})

    def collect(self) -> Iterator[Metric]:
        """The current metrics."""
        return self._metrics(self.read())

    def _metrics(self, found: Mapping[str, Statistics]) -> Iterator[Metric]:
        yield _build()
        yield _node_info(self._addresses)
        up = GaugeMetricFamily(
            "swim_up", "Whether the node could be asked, so that its other metrics are present", labels=["node"]
        )
        for name in self._nodes:
            up.add_metric([name], name in found)
        yield up
        for field, meaning in MEANINGS.items():
            yield _metric(field, meaning, {name: getattr(statistics, field) for name, statistics in found.items()})


def _build() -> Metric:
    try:
        ours = version("swim-membership")
    except PackageNotFoundError:  # imported from a directory and not installed
        ours = "unknown"
    build = GaugeMetricFamily("swim_build_info", "What runs here", labels=["version", "python", "implementation"])
    build.add_metric([ours, platform.python_version(), platform.python_implementation()], 1)
    return build


def _node_info(addresses: Mapping[str, str]) -> Metric:
    info = GaugeMetricFamily("swim_node_info", "Where others reach the node", labels=["node", "address"])
    for name, address in addresses.items():
        info.add_metric([name, address], 1)
    return info


def _metric(field: str, meaning: Meaning, values: Mapping[str, Any]) -> Metric:
    unit, factor = UNITS.get(meaning.unit, ("", 1))
    name = _metric_name(field, unit)
    if meaning.kind == "histogram":
        return _histogram(name, meaning, unit, values)
    labels = ["node", meaning.label] if meaning.label else ["node"]
    family = CounterMetricFamily if meaning.kind == "counter" else GaugeMetricFamily
    metric = family(name, meaning.help, labels=labels, unit=unit)
    for node, value in values.items():
        if isinstance(value, Mapping):
            for key, count in (dict.fromkeys(meaning.keys, 0) | dict(value)).items():
                metric.add_metric([node, _word(key)], count * factor)
        elif value is not None:
            metric.add_metric([node], value * factor)
    return metric


def _metric_name(field: str, unit: str) -> str:
    """The unit comes last, as usual in Prometheus: ``bytes_sent`` becomes ``swim_sent_bytes_total``."""
    words = [word for word in field.split("_") if word != unit]
    return "_".join(["swim", *words, *([unit] if unit else [])])


def _word(key: object) -> str:
    return key.name.lower() if isinstance(key, Enum) else str(key)


def _histogram(name: str, meaning: Meaning, unit: str, values: Mapping[str, Histogram]) -> Metric:
    metric = HistogramMetricFamily(name, meaning.help, labels=["node"], unit=unit)
    for node, histogram in values.items():
        buckets = [(_bound(bound), count) for bound, count in histogram.buckets]
        metric.add_metric([node], buckets, histogram.sum)
    return metric


def _bound(bound: float) -> str:
    return "+Inf" if bound == float("inf") else str(bound)
