"""The order of the packages and the purity of the core, read from the source: what imports what, and what must not."""

import ast
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from support.paths import ROOT

CORE = sorted((ROOT / "swim_core").rglob("*.py"))
THREADS = sorted((ROOT / "swim_threads").rglob("*.py"))
ANYIO = sorted((ROOT / "swim_anyio").rglob("*.py"))

IMPURE = {"socket", "select", "selectors", "ssl", "time", "threading", "asyncio", "trio", "anyio", "logging"}
IMPURE |= {"subprocess", "multiprocessing", "concurrent", "queue", "signal", "secrets", "uuid", "datetime"}
ALLOWED_NAMES = {("datetime", "timedelta"), ("random", "Random")}

VOCABULARY = (
    {"protocol", "listeners", "handshake"},
    {"events", "discovery", "tripwire"},
    {"statistics"},
    {"counters"},
    {"member"},
    {"plain_data"},
    {"address", "duration", "keys"},
    {"digests"},
    {"errors"},
)
FLOORS: tuple[set[str], ...] = (
    {"simulation"},
    {"swim_core", "planner", "placement", "embedding"},
    {"vocabulary"},
    {"native", "smudge"},
    {"shared"},
    *VOCABULARY,
)
"""The rooms of the core from the top; each imports only from floors below it, save its own room."""
NATIVE = (
    {"config"},
    {"node"},
    {"router"},
    {"reports"},
    {"parts"},
    {"tools"},
    {"verbs", "gauges", "farewell"},
    {"detection", "dissemination", "joining"},
    {"claims"},
    {"context"},
    {"hub"},
    {"datagrams"},
    {"table", "cluster_clock", "round_trips", "coming"},
    {"settings"},
    {"wire"},
    {"sealing"},
)
"""The rooms of the native protocol, likewise."""
DOORS = {
    "swim_threads.clock",
    "swim_threads.engine",
    "swim_threads.key_file",
    "swim_threads.logs",
    "swim_threads.lookups",
    "swim_threads.preparing",
    "swim_threads.prometheus",
    "swim_threads.pump",
    "swim_threads.resolver",
    "swim_threads.sockets",
}
"""What the anyio adapter uses of the threads adapter: the thread that runs a node, its sockets, what passes between a
node and these, the way from arguments to both, what keeps names resolved and the threads that do, what writes the log,
and what becomes of statistics."""
FACE = {"contrib", "driver", "listeners", "node", "opening", "open_nodes", "subscription"}
"""The parts that only programs without an event loop use."""
UNSEEN_BY_ADAPTERS = {"swim_core.native", "swim_core.smudge", "swim_core.simulation"}
"""What adapters know by the contract only. Commands may know more: tools speak the native protocol, experiments
simulate, and the agent reads the settings of both."""
COMMANDS = ("swim_anyio.command", "swim_anyio.testing", "swim_anyio.pytest_plugin")


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
MODULES = {module_of(path): path for path in CORE + THREADS + ANYIO}


def imports(path: Path, within: ast.AST | None = None) -> Iterator[tuple[str, str | None]]:
    """(module, name) of every import of a file, or of a function ``within`` it; also those in functions or for types;
    relative ones made absolute."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(within or ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, None
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) + 1 - node.level]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            for alias in node.names:
                yield module, alias.name


def resolved(path: Path, within: ast.AST | None = None) -> set[str]:
    """The modules of this project that a file imports, or a function ``within`` it."""
    found = set()
    for module, name in imports(path, within):
        deeper = f"{module}.{name}" if name else module
        if deeper in MODULES:
            found.add(deeper)
        elif module in MODULES:
            found.add(module)
    return found


def test_the_core_imports_nothing_impure() -> None:
    for path in CORE:
        for module, name in imports(path):
            top = module.partition(".")[0]
            if path.name == "__main__.py" and top in {"time", "concurrent"}:
                continue
            assert top not in IMPURE or (module, name) in ALLOWED_NAMES, f"{path.name} imports {module}.{name}"
            assert top != "random" or (module, name) in ALLOWED_NAMES, f"{path.name} uses the state of random"
            assert top != "os" or name is None, f"{path.name} takes {name} out of os"


LOADED_LATE = {
    ("swim_core.native.parts", "swim_core.native.datagrams.seal_check"),
    ("swim_core.native.detection.tripwires", "swim_core.native.sealing.tripwire_seal"),
    ("swim_core.native.node", "swim_core.native.sealing.ring"),
}
"""What a function of a node imports: all of it is loaded when a node with keys is made."""


def test_a_node_that_runs_loads_nothing_more_of_this_project() -> None:
    """The installation may have been replaced by another release meanwhile, whose modules don't fit those loaded."""
    late = set()
    for path in CORE + THREADS:
        module = module_of(path)
        if path.name != "__init__.py" and not module.startswith(("swim_core.simulation", "swim_threads.contrib")):
            functions = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, FUNCTIONS))
            late |= {(module, used) for function in functions for used in resolved(path, function)}
    assert late == LOADED_LATE


FORBIDDEN = {"urandom", "getrandom", "SystemRandom", "monotonic", "perf_counter", "time_ns", "utcnow", "__import__"}
FORBIDDEN_CALLS = {"hash", "id", "print", "open", "input", "eval", "exec"}


def test_the_core_uses_no_clock_no_entropy_and_nothing_of_os_but_the_environment() -> None:
    for path in CORE:
        if path.name == "__main__.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                assert node.attr not in FORBIDDEN, f"{path.name} uses {node.attr}"
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os":
                assert node.attr == "environ", f"{path.name} uses os.{node.attr}"
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in FORBIDDEN_CALLS, f"{path.name} calls {called}"
                assert called != "Random" or node.args, f"{path.name} makes a Random without a seed"


def test_the_core_depends_on_attrs_and_msgspec_and_with_keys_on_cryptography() -> None:
    for path in CORE:
        for module, _ in imports(path):
            top = module.partition(".")[0]
            allowed = {"swim_core", "attrs", "msgspec"} | ({"cryptography"} if path.name == "aead.py" else set())
            assert top in allowed or top in sys.stdlib_module_names, f"{path.name}: {module}"


def floors(rooms: tuple[set[str], ...]) -> dict[str, int]:
    return {room: number for number, floor in enumerate(rooms) for room in floor}


def core_room(module: str) -> str:
    """The room of the core that a module is in: a package, or the module itself."""
    return module.split(".")[1] if "." in module else module


def native_room(module: str) -> str | None:
    """The room of the native protocol that a module is in; None outside it, and for its door."""
    return module.split(".")[2] if module.startswith("swim_core.native.") else None


def test_every_module_has_its_floor() -> None:
    modules = {module_of(path) for path in CORE}
    assert {core_room(module) for module in modules} == set(floors(FLOORS))
    assert {native_room(module) for module in modules} - {None} == set(floors(NATIVE))


@pytest.mark.parametrize("path", CORE, ids=module_of)
def test_the_core_imports_downward_only(path: Path) -> None:
    module = module_of(path)
    floor, native = floors(FLOORS), floors(NATIVE)
    for used in resolved(path):
        here, there = core_room(module), core_room(used)
        assert here == there or floor[here] < floor[there], f"{module} imports {used}: up, or aside"
        mine, others = native_room(module), native_room(used)
        if mine and others and mine != others:
            assert native[mine] < native[others], f"{module} imports {used}: up, or aside"


def test_dependencies_between_the_packages_point_one_way() -> None:
    for paths, allowed in ((CORE, {"swim_core"}), (THREADS, {"swim_core", "swim_threads"})):
        for path in paths:
            for module in resolved(path):
                assert module.partition(".")[0] in allowed, f"{path.name} imports {module}"


def test_the_anyio_adapter_enters_the_threads_adapter_by_its_doors() -> None:
    used = {module for path in ANYIO for module in resolved(path) if module.startswith("swim_threads")}
    entered = {door for door in DOORS for module in used if f"{module}.".startswith(f"{door}.")}
    assert entered == DOORS
    assert all(any(f"{module}.".startswith(f"{door}.") for door in DOORS) for module in used), used


def test_behind_those_doors_nothing_of_the_threads_adapters_face_is_needed() -> None:
    needed = {name for name in MODULES if any(f"{name}.".startswith(f"{door}.") for door in DOORS)}
    found = needed
    while found:
        found = {used for module in found for used in resolved(MODULES[module]) if used.startswith("swim_threads.")}
        found -= needed
        needed = needed | found
    assert not needed & {f"swim_threads.{name}" for name in FACE}


def test_sockets_know_no_engine_and_no_node() -> None:
    for path in THREADS:
        if path.parent.name == "sockets":
            assert all(
                not used.startswith("swim_threads") or used.startswith("swim_threads.sockets")
                for used in resolved(path)
            ), path


def test_adapters_know_a_protocol_by_its_contract() -> None:
    for path in THREADS + ANYIO:
        if not module_of(path).startswith(COMMANDS):
            for module in resolved(path):
                assert not module.startswith(tuple(UNSEEN_BY_ADAPTERS)), f"{path} imports {module}"


def test_there_is_no_import_cycle() -> None:
    """Neither by a local import nor by one that only a type checker follows."""
    tuple(TopologicalSorter({module: resolved(path) - {module} for module, path in MODULES.items()}).static_order())


def test_the_map_names_every_module_of_the_protocol_and_of_the_threads_adapter() -> None:
    words = re.findall(r"`([^`\s]+)`", (ROOT / "docs" / "architecture.md").read_text())
    named = {word.rstrip("/").rpartition("/")[2].rpartition(".")[2] for word in words}
    folders = [ROOT / "swim_core" / "native", ROOT / "swim_core" / "shared", ROOT / "swim_threads"]
    paths = [path for folder in folders for path in folder.rglob("*.py") if "contrib" not in path.parts]
    assert {path.stem for path in paths} - {"__init__"} - named == set()


def test_contributors_are_sent_to_files_that_exist() -> None:
    words = re.findall(r"`((?:swim_|tests/|docs/)[^`\s]+)`", (ROOT / "docs" / "contributing.md").read_text())
    paths = [word for word in words if "/" in word]
    assert len(paths) > 30
    assert [path for path in paths if not (ROOT / path).exists()] == []


FRAUGHT = [
    "socket",
    "select",
    "selectors",
    "ssl",
    "asyncio",
    "subprocess",
    "logging",
    "trio",
    "anyio",
    "_socket",
    "_ssl",
    "cryptography",  # only with keys
]


def test_the_core_runs_where_sockets_and_loops_do_not_exist() -> None:
    """attrs itself imports threading and time, so those can't be taken away."""
    code = f"""
        import sys
        for name in {FRAUGHT!r}:
            sys.modules[name] = None
        from swim_core import Config, MemberJoined, BroadcastReceived, Node

        nodes = {{}}
        for number in (1, 2):
            address = (f"10.0.0.{{number}}", 7946)
            nodes[address] = Node(f"n{{number}}", address, config=Config.lan(), now=0.0,
                                  entropy=bytes([number]) * 32, unix_ms=1_700_000_000_000)
        (first, a), (second, b) = nodes.items()
        a.join([second], now=0.0)
        events, now = [], 0.0

        def drain():
            moved = True
            while moved:
                moved = False
                for source, node in nodes.items():
                    while (datagram := node.poll_datagram()) is not None:
                        nodes[datagram.destination].feed_datagram(datagram.payload, source, now=now)
                        moved = True
                    while (event := node.poll_event()) is not None:
                        events.append(event)

        drain()
        for step in range(100):
            now += 0.1
            if step == 50:
                a.broadcast(b"hello", now=now)
            for node in nodes.values():
                if node.poll_deadline() <= now:
                    node.feed_tick(now=now)
            drain()
        assert sum(isinstance(event, MemberJoined) for event in events) == 2, events
        assert [e.payload for e in events if isinstance(e, BroadcastReceived)] == [b"hello"], events
        assert len(a.members()) == len(b.members()) == 2
        present = [name for name in {FRAUGHT!r} if sys.modules.get(name) is not None]
        assert not present, present
        print("fine")
    """
    run = subprocess.run(
        [sys.executable, "-S", "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *(entry for entry in sys.path if entry)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.stdout, run.stderr) == ("fine\n", "")
