"""The alerts and the dashboard of docs/operations use metrics that nodes have, and fire when they should."""

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from msgspec.structs import replace

from support.commands import needs, run
from support.kit import KIT
from support.paths import DOCS
from swim_core import Address, Member, State, Statistics
from swim_core.statistics import MEANINGS
from swim_threads.prometheus import NodeCollector

BOARD = json.loads((KIT / "grafana-dashboard.json").read_text())
RULES = [
    rule for group in yaml.safe_load((KIT / "prometheus-rules.yaml").read_text())["groups"] for rule in group["rules"]
]


@cache
def samples() -> dict[str, dict[str, set[str]]]:
    """The labels of each sample that a node can have, with the values of each."""
    full = {name: {"?": 1} for name, meaning in MEANINGS.items() if meaning.label and not meaning.keys}
    statistics = replace(Statistics(rtt_p50=0.1, rtt_p99=0.1), **cast(Any, full))
    local = Member("ann", Address("127.0.0.1", 7946), 1, 0, State.ALIVE, {})
    node = SimpleNamespace(local=local, statistics=lambda: statistics)
    found: dict[str, dict[str, set[str]]] = {}
    for metric in NodeCollector(cast(Any, node)).collect():
        for sample in metric.samples:
            labels = found.setdefault(sample.name, {"job": set(), "instance": set()})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


def problems(expression: str) -> Iterator[str]:
    """What an expression of PromQL names that no node has."""
    labels: set[str] = set()
    for name, matchers in re.findall(r"\b(swim_\w+)(?:\{([^}]*)\})?", expression):
        if name not in samples():
            yield name
            continue
        labels |= samples()[name].keys()
        for label, values in re.findall(r'(\w+) *(?:=~|!~|!=|=) *"([^"]*)"', matchers):
            known = samples()[name].get(label)
            if known is None:
                yield f"{name}{{{label}}}"
            elif label in {"state", "rule", "reason"}:
                yield from set(values.split("|")) - known
    for group in re.findall(r"\bby \(([^)]*)\)", expression):
        yield from {word.strip() for word in group.split(",")} - labels


def expressions() -> list[str]:
    panels = [target["expr"] for panel in BOARD["panels"] for target in panel.get("targets", [])]
    variables = [entry["definition"] for entry in BOARD["templating"]["list"] if entry["type"] == "query"]
    return [*(rule["expr"] for rule in RULES), *panels, *variables]


@pytest.mark.parametrize("expression", expressions())
def test_what_an_expression_names_exists(expression: str) -> None:
    assert "swim_" in expression
    assert [*problems(expression)] == []


@pytest.mark.parametrize(
    ("expression", "missing"),
    [
        ("rate(swim_refutations[5m])", "swim_refutations"),
        ('swim_members{status="alive"}', "swim_members{status}"),
        ('swim_members{state="asleep"}', "asleep"),
        ("sum by (job, rule) (swim_up)", "rule"),
    ],
)
def test_a_name_that_does_not_exist_is_found(expression: str, missing: str) -> None:
    assert [*problems(expression)] == [missing]


def test_there_is_an_alert_on_every_metric_that_the_documentation_calls_worth_one() -> None:
    table = (DOCS / "monitoring.md").read_text().partition("worth an alert")[2].partition("## Logs")[0]
    worth = {name for line in table.splitlines() for name in re.findall(r"swim_\w+", line.split(" | ")[0])}
    assert len(worth) > 10
    assert worth <= {name for rule in RULES for name in re.findall(r"swim_\w+", rule["expr"])}


def test_what_an_alert_prints_is_there() -> None:
    for rule in RULES:
        printed = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        groups = [{word.strip() for word in found.split(",")} for found in re.findall(r"by \(([^)]*)\)", rule["expr"])]
        assert all(printed <= group for group in groups), rule["alert"]
        assert printed <= {"job", "node", "rule", "reason", "errno"}


@needs("promtool")
def test_promtool_finds_nothing_wrong_with_the_rules_and_the_panels(tmp_path: Path) -> None:
    panels = [
        {"record": f"panel:{i}", "expr": _filled_in(e)} for i, e in enumerate(expressions()) if "label_v" not in e
    ]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": panels}]}))
    done = run("promtool", "check", "rules", str(KIT / "prometheus-rules.yaml"), str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def _filled_in(expression: str) -> str:
    return expression.replace("$__rate_interval", "1m")


@needs("promtool")
def test_a_partition_two_deaths_and_silent_seeds_fire_alerts_and_a_quiet_cluster_none(tmp_path: Path) -> None:
    def series(name: str, values: str, **labels: str) -> dict[str, str]:
        inside = ",".join(f'{label}="{value}"' for label, value in {"job": "swim", **labels}.items())
        return {"series": f"{name}{{{inside}}}", "values": values}

    inputs = [
        series("swim_members", "4x9 4x10", node="ann", state="alive"),
        series("swim_members", "4x9 2x10", node="bob", state="alive"),
        series("swim_deaths_total", "0x9 2x10", node="ann", rule="silent"),
        series("swim_deaths_total", "0x9 9x10", node="ann", rule="restarted"),
        series("swim_seeds", "1x20", node="bob"),
        series("swim_seeds_unanswered", "0x9 1x10", node="bob"),
        series("swim_seeds", "0x20", node="ann"),
        series("swim_seeds_unanswered", "0x20", node="ann"),
    ]
    names = [rule["alert"] for rule in RULES]
    fired = {"SwimPartition", "SwimMembersDied", "SwimSeedsUnanswered"}
    # promtool compares the alerts whole; the quiet cluster shows that none fires, the other one which do
    quiet = [{"eval_time": "9m", "alertname": name, "exp_alerts": []} for name in names]
    silent = [{"eval_time": "18m", "alertname": name, "exp_alerts": []} for name in names if name not in fired]
    count = [
        {
            "eval_time": "18m",
            "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
            "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(fired)],
        }
    ]
    test = {"interval": "1m", "input_series": inputs, "alert_rule_test": quiet + silent, "promql_expr_test": count}
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(KIT / "prometheus-rules.yaml")], "tests": [test]}))
    done = run("promtool", "test", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_panels_of_the_dashboard_stand_beside_each_other() -> None:
    panels = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 15
    for panel in panels:
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        assert panel["type"] == "row" or all(target["refId"] for target in panel["targets"])
    assert [(a["title"], b["title"]) for a, b in combinations(panels, 2) if _overlap(a["gridPos"], b["gridPos"])] == []


def _overlap(a: dict[str, int], b: dict[str, int]) -> bool:
    beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
    return not (beside or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"])


def test_the_dashboard_defines_the_variables_that_it_uses() -> None:
    defined = {entry["name"] for entry in BOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(BOARD)))
    assert used == defined
