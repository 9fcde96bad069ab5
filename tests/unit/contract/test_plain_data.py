"""What applications get can be printed, turned into JSON, pickled and copied, but not changed."""

import builtins
import copy
import json
import pickle
import pydoc
import subprocess
import sys
from collections import abc
from collections.abc import Callable
from importlib import metadata
from typing import Any, get_args, get_origin

import msgspec
import pytest

import swim_anyio
import swim_core
import swim_threads
from swim_core import (
    Address,
    BroadcastReceived,
    Config,
    Contact,
    DropReason,
    Event,
    Evidence,
    Member,
    MemberDied,
    MemberJoined,
    MemberUpdated,
    Node,
    Observation,
    Origin,
    Past,
    Rule,
    State,
    Statistics,
)
from swim_core.events import KINDS, Happening
from swim_core.plain_data import FrozenDict, octets, plain

HERE = Address("10.0.0.1", 7946)
ANN = Member("ann", HERE, epoch=7, incarnation=2, metadata=FrozenDict({"role": "cache"}))
WHY = Evidence(Rule.GONE, "bob", 1_700, (Observation(1.5, "bob", "refused udp"),))
SAMPLES: dict[type, Any] = {
    Member: ANN,
    Address: HERE,
    Origin: Origin("ann", 7, HERE),
    Evidence: WHY,
    int: 3,
    float: 1.5,
    str: "text",
    bytes: b"\xff",
    DropReason: DropReason.OTHER_CLUSTER,
}
"""A value of each type that a field of an event may have; mappings and tuples are made by hand."""


def sample(kind: type[Happening]) -> Happening:
    values: list[Any] = []
    for field in msgspec.structs.fields(kind):
        parts = (field.type, *get_args(field.type))
        made = next(SAMPLES[part] for part in parts if part in SAMPLES)
        match get_origin(field.type):
            case builtins.tuple:
                made = (made,)
            case abc.Mapping:
                made = FrozenDict({"probe_interval": 2.0})
        values.append(made)
    return kind(*values)


def statistics() -> Statistics:
    node = Node("ann", HERE, config=Config.lan(), now=0.0, entropy=bytes(32), unix_ms=0)
    node.feed_datagram(b"garbage", ("10.0.0.9", 1), now=1.0)
    assert node.statistics().dropped
    return node.statistics()


PAST = Past(1, 2.5, 2.0, "dead", "ann", HERE, 7, 2, Rule.GONE, "bob", 1_700)
HANDED_OUT = [ANN, WHY, PAST, Contact(age=1.0), statistics(), *map(sample, KINDS)]
named = pytest.mark.parametrize("thing", HANDED_OUT, ids=lambda thing: type(thing).__name__)


def test_every_event_has_a_kind() -> None:
    assert set(KINDS) == set(get_args(Event))


@named
def test_it_can_be_pickled_and_copied(thing: object) -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(thing, protocol)) == thing
    assert copy.copy(thing) == copy.deepcopy(thing) == thing


@named
def test_it_knows_its_json(thing: Any) -> None:
    told = thing.to_dict()
    assert json.loads(json.dumps(told)) == told
    assert msgspec.json.decode(msgspec.json.encode(told)) == told
    msgspec.json.encode(thing)
    msgspec.msgpack.encode(thing)


@pytest.mark.parametrize("event", [sample(kind) for kind in KINDS], ids=lambda event: type(event).__name__)
def test_msgspec_reads_back_what_it_wrote(event: Event) -> None:
    assert msgspec.json.decode(msgspec.json.encode(event), type=Event) == event


def test_words() -> None:
    assert f"{State.SUSPECT} {State.SUSPECT:>8}" == "suspect  suspect"
    assert str(Rule.HOST_GONE) == "host_gone"
    assert int(State.DEAD) == 2
    assert json.dumps(State.DEAD) == "2"
    assert str(ANN) == "ann at 10.0.0.1:7946 (alive)"


def test_an_event_is_a_short_line() -> None:
    assert str(MemberDied(ANN, WHY)) == (
        "dead member='ann' address='10.0.0.1:7946' metadata={'role': 'cache'} rule='gone' accuser='bob'"
    )
    assert "\n" not in str(BroadcastReceived(Origin("a", 1, HERE), 2, b"two\nlines"))


def test_a_member_as_json() -> None:
    assert ANN.to_dict() == {
        "name": "ann",
        "address": "10.0.0.1:7946",
        "state": "alive",
        "epoch": 7,
        "incarnation": 2,
        "metadata": {"role": "cache"},
    }
    assert MemberJoined(ANN).to_dict()["event"] == "alive"


def test_an_update_tells_what_was_before() -> None:
    now = Member("ann", HERE, metadata=FrozenDict({"role": "proxy"}))
    assert MemberUpdated(now, ANN).to_dict()["before"] == {"role": "cache"}


def test_mappings_can_not_be_changed() -> None:
    mapping: Any = ANN.metadata
    changes: list[Callable[[], object]] = [
        lambda: mapping.update(a="b"),
        lambda: mapping.__setitem__("a", "b"),
        lambda: mapping.pop("role"),
        lambda: mapping.clear(),
        lambda: mapping.setdefault("a", "b"),
        lambda: mapping.popitem(),
        lambda: mapping.__delitem__("role"),
        lambda: mapping.__ior__({"a": "b"}),
    ]
    for change in changes:
        with pytest.raises(TypeError, match="read-only"):
            change()
    assert mapping == {"role": "cache"}


def test_what_is_nothing_of_ours_is_refused() -> None:
    with pytest.raises(TypeError, match="nothing of this library"):
        plain(object())


@pytest.mark.parametrize("payload", [b"abc", bytearray(b"abc"), memoryview(b"abc")])
def test_payloads(payload: object) -> None:
    assert octets(payload) == b"abc"


@pytest.mark.parametrize(("payload", "says"), [("text", "encode the text"), (5, "not int"), (None, "not NoneType")])
def test_what_is_no_payload(payload: Any, says: str) -> None:
    node = Node("ann", HERE, config=Config.lan(), now=0.0, entropy=bytes(32), unix_ms=0)
    for call in (lambda: node.broadcast(payload, now=1.0), lambda: node.send("ann", payload, now=1.0)):
        with pytest.raises(TypeError, match=says):
            call()


@pytest.mark.parametrize("package", [swim_core, swim_threads, swim_anyio])
def test_a_package_shows_its_public_names_and_its_version(package: Any) -> None:
    assert set(dir(package)) == {*package.__all__, "__version__"}
    assert package.__version__ == metadata.version("swim-membership")
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        package.nothing_of_the_kind  # noqa: B018


@pytest.mark.parametrize("adapter", [swim_threads, swim_anyio])
def test_what_one_needs_every_day_is_had_from_the_adapter(adapter: Any) -> None:
    everyday = set(swim_core.vocabulary.__all__)
    assert {kind.__name__ for kind in swim_core.Event.__args__} < everyday
    assert {name for name in swim_core.__all__ if name.endswith("Error")} < everyday
    assert everyday <= set(adapter.__all__) & set(swim_core.__all__)
    assert all(getattr(adapter, name) is getattr(swim_core, name) for name in everyday)


def test_help_shows_it() -> None:
    shown = pydoc.plain(pydoc.render_doc(swim_anyio))
    for heading in ("class MemberDied(", "class Config(", "open_node("):
        assert heading in shown


def test_it_is_imported_when_asked_for() -> None:
    """`swim` says what is missing, and `swim members` starts, before the core is loaded."""
    code = "import sys, swim_anyio; print('swim_core' in sys.modules); from swim_anyio import *; print(State.DEAD)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\ndead\n"
