"""The layers and the purity of the core, read from the source: what imports what, and what the core may not touch."""

import ast
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = sorted((ROOT / "swim_core").rglob("*.py"))
THREADS = sorted((ROOT / "swim_threads").rglob("*.py"))
ANYIO = sorted((ROOT / "swim_anyio").rglob("*.py"))

IMPURE = {"socket", "select", "selectors", "ssl", "time", "threading", "asyncio", "trio", "anyio", "logging"}
IMPURE |= {"subprocess", "multiprocessing", "concurrent", "queue", "signal", "secrets", "uuid", "datetime"}
ALLOWED_NAMES = {("datetime", "timedelta"), ("random", "Random")}
LAZY_ANYWHERE = {
    ("swim_core.smudge.config", "swim_core.smudge.node"),
    ("swim_anyio.drivers", "swim_anyio.trio_driver"),
}
"""What closes a circle, and is therefore imported inside a function: a config makes its node, and a node takes a
config, in either protocol; the driver for trio is imported only where trio runs."""
SHARED = {
    "swim_threads.engine",
    "swim_threads.sockets.multicast",
    "swim_threads.preparing",
    "swim_threads.prometheus",
    "swim_threads.sockets.tcp",
    "swim_threads.sockets.tripwires",
    "swim_threads.sockets.udp",
}
"""What the anyio adapter uses of the threads adapter: the thread that runs a node, the manners of its sockets, the way
from arguments to both, and what becomes of statistics."""
FACE = {"listeners", "node", "opening", "registry", "resolver", "subscription"}
"""What only programs without an event loop use of it."""


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in CORE + THREADS + ANYIO}


LAZY = {pair for pair in LAZY_ANYWHERE if pair[0] in MODULES}


def for_types_only(tree: ast.Module) -> set[ast.stmt]:
    """The statements that only a type checker sees."""
    found: set[ast.stmt] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            found |= {inner for inner in ast.walk(node) if isinstance(inner, ast.stmt)}
    return found


def imports(path: Path, *, with_types: bool = True) -> Iterator[tuple[str, str | None]]:
    """(module, name) of every import of a file, wherever it stands; relative ones made absolute."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    tree = ast.parse(path.read_text())
    skip = set() if with_types else for_types_only(tree)
    for node in ast.walk(tree):
        if node in skip:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, None
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) + 1 - node.level]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            for alias in node.names:
                yield module, alias.name


def resolved(path: Path, *, with_types: bool = True) -> set[str]:
    """The modules of this project that a file imports."""
    found = set()
    for module, name in imports(path, with_types=with_types):
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


def test_the_core_depends_on_attrs_and_msgspec_only() -> None:
    for path in CORE:
        for module, _ in imports(path):
            top = module.partition(".")[0]
            assert top in {"swim_core", "attrs", "msgspec"} or top in sys.stdlib_module_names, f"{path.name}: {module}"


def test_dependencies_between_the_packages_point_one_way() -> None:
    for paths, allowed in ((CORE, {"swim_core"}), (THREADS, {"swim_core", "swim_threads"})):
        for path in paths:
            for module in resolved(path):
                assert module.partition(".")[0] in allowed, f"{path.name} imports {module}"
    shared = {module for path in ANYIO for module in resolved(path) if module.startswith("swim_threads")}
    assert shared == SHARED


def test_what_the_adapters_share_needs_nothing_of_the_threads_adapters_face() -> None:
    needed, found = set(SHARED), SHARED
    while found:
        found = {used for module in found for used in resolved(MODULES[module]) if used.startswith("swim_threads.")}
        found -= needed
        needed |= found
    assert not needed & {f"swim_threads.{name}" for name in FACE}


def inside_functions(path: Path) -> set[str]:
    """The modules of this project that are imported when a function is called."""
    found = set()
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
                    found |= {module for module in resolved(path) if module.rpartition(".")[2] in names}
    return found


def test_what_is_imported_inside_functions_of_the_core_is_stated_here() -> None:
    found = {(module_of(path), module) for path in CORE for module in inside_functions(path)}
    assert found == {pair for pair in LAZY if pair[0].startswith("swim_core")}


@pytest.mark.parametrize(("module", "used"), sorted(LAZY))
def test_what_closes_a_circle_is_imported_inside_a_function(module: str, used: str) -> None:
    assert used in inside_functions(MODULES[module])


@pytest.mark.parametrize("paths", [CORE, THREADS, ANYIO], ids=["swim_core", "swim_threads", "swim_anyio"])
def test_there_is_no_import_cycle(paths: list[Path]) -> None:
    graph = {}
    for path in paths:
        module = module_of(path)
        graph[module] = {used for used in resolved(path, with_types=False) if (module, used) not in LAZY} - {module}
    tuple(TopologicalSorter(graph).static_order())


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
