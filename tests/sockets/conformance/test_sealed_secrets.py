"""No key stands in what sealed nodes show: events, views, statistics, metrics, logs, errors, and their own parts.

What all other tests and programs put out is looked through as well (`support.hidden`).
"""

import json
import logging
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

import swim_threads
from support.agents import AgentProcess, agents
from support.hidden import given_away
from support.inside import engine_of, parts_of
from support.measures import objects
from support.outsider import KEY, OTHER_KEY, Outsider
from support.waiting import HERE, all_logged, wait_until
from swim_core import ConfigError, Event, Keys, KeysChanged, MemberDied, Unsealed
from swim_core.simulation import Simulation
from swim_threads.prometheus import NodeCollector

pytestmark = pytest.mark.sockets


def shown(thing: Any) -> Iterator[str | bytes]:
    """All the ways in which a program prints or writes it."""
    yield from (repr(thing), str(thing), f"{thing}", repr(vars(thing)) if hasattr(thing, "__dict__") else "")
    if hasattr(thing, "to_dict"):
        yield json.dumps(thing.to_dict())
        yield msgspec.json.encode(thing, enc_hook=str)
        yield pickle.dumps(thing)


def check(*things: Any) -> None:
    for thing in things:
        for text in shown(thing):
            assert given_away(text) is None, type(thing)


def views(node: Any) -> Iterator[Any]:
    yield from (node, node.local, node.statistics(), *node.members(gone=True), *node.history(), node.rings())
    for member in node.members(gone=True):
        yield node.explain(member.name)


def test_events_views_and_the_parts_of_a_node() -> None:
    with Simulation(1, keys=KEY, tripwires=True) as simulation:
        simulation.form(4)
        outsider = Outsider(simulation)
        told: list[Event] = outsider.events
        simulation.add("stranger", join=["node-0"], keys=OTHER_KEY)
        simulation.broadcast("node-1", b"news")
        simulation.run_for(1.0)
        for process in simulation.running():
            process.do(lambda node, now: node.set_keys(Keys([*OTHER_KEY, *KEY]), now=now))
        simulation.crash("node-3")
        simulation.run_for(3.0)
        unsealed = [event for process in simulation.running() for event in process.told(Unsealed)]
        assert unsealed
        assert {KeysChanged, MemberDied} <= set(map(type, told))
        check(*told, *unsealed)
        for process in simulation.running():
            check(process, *views(process.node))
        parts = list(objects(parts_of(simulation.process("node-0").node)))
        assert {"Sealer", "KeyRing"} <= {type(part).__name__ for part in parts}
        for part in parts:
            assert given_away(repr(part)) is None, type(part)


def test_logs_metrics_errors_and_what_runs_a_node(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level(logging.DEBUG)
    (key,), (other,) = KEY, OTHER_KEY
    file = tmp_path / "swim.key"
    file.write_text(f"{key.reveal()}\n")
    registry = CollectorRegistry()
    with (
        swim_threads.open_node(HERE, name="ann", key_file=file) as ann,
        swim_threads.open_node(HERE, name="bob", join=[ann.local.address], keys=[key.reveal(), other.reveal()]) as bob,
        swim_threads.open_node(HERE, name="eve", join=[ann.local.address], keys=OTHER_KEY),
    ):
        registry.register(NodeCollector(ann, bob))
        ann.wait_for_members(2, timeout=30)
        wait_until(lambda: "eve" not in str(ann.members()) and sum(ann.statistics().dropped.values()) > 0)
        check(generate_latest(registry), *views(ann), engine_of(ann))
        all_logged()
    all_logged()
    assert len(caplog.records) > 5
    for record in caplog.records:
        check(record.getMessage(), vars(record), record.args)
    for wrong in (f"{key.reveal()}x", key.reveal()[:-1], [key.reveal(), key.reveal()], key.reveal().encode()):
        with pytest.raises((ConfigError, TypeError)) as caught:
            swim_threads.open_node(HERE, name="ann", keys=wrong)  # type: ignore[arg-type]
        given = traceback.TracebackException.from_exception(caught.value, capture_locals=False)
        check("".join(given.format()), caught.value, caught.value.args)


def test_programs_show_no_key_by_their_arguments(tmp_path: Path) -> None:
    """A process that got the key from its environment doesn't pass it on to processes that it starts either."""
    (key,) = KEY
    script = tmp_path / "handler"
    script.write_text(f"#!/bin/sh\nenv > {tmp_path}/said.new\nmv {tmp_path}/said.new {tmp_path}/said\n")
    script.chmod(0o700)
    with agents() as start:
        agent: AgentProcess = start("ann", "--on", "alive", str(script), variables={"SWIM_KEY": key.reveal()})
        start("bob", join=agent, variables={"SWIM_KEY": key.reveal()})
        wait_until((tmp_path / "said").exists)
        assert given_away((tmp_path / "said").read_text()) is None
        assert given_away(Path(f"/proc/{agent.process.pid}/cmdline").read_bytes()) is None
