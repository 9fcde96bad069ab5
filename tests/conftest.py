"""Sets up what tests rely on (signals that act, patience on busy machines), and checks that those on sockets leave
nothing behind."""

import gc
import os
import signal
import sys
import threading
import zlib
from collections.abc import Callable, Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

import swim_threads
from support import hidden
from support.example import CONFIG, Start, starting
from support.hosts import Host, new_hosts
from support.waiting import HERE

# hundreds of tests start processes: where bytecode may not be written, each one would compile everything again
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# the person who runs the tests may have settings, or a key, for other nodes
for name in [name for name in os.environ if name.startswith(("SWIM_", "SMUDGE_"))]:
    del os.environ[name]
# most tests at other addresses than loopback have no keys; those of the rule that they need some take it away
os.environ["SWIM_INSECURE"] = "1"
sys.dont_write_bytecode = False

# a busy machine generates examples slowly, and that says nothing about the code
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("few", settings.get_profile("patient"), max_examples=10)  # what is covered doesn't need more
settings.load_profile("patient")

SIGNALS = ("SIGHUP", "SIGQUIT", "SIGTERM", "SIGTSTP", "SIGTTIN", "SIGTTOU")


def pytest_xdist_auto_num_workers() -> int:
    """How many processes share the tests: many tests wait for sockets and processes, so there are two to a core."""
    return 2 * len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where processes share the tests, mix modules that wait for sockets with those that compute."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: zlib.crc32(item.path.name.encode()))


hidden.watch()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test whose output shows a key, unless that is what it is about."""
    report = yield
    if report.when == "teardown":
        hidden.look_through("printed or logged", *(text for _, text in report.sections))
        if hidden.found and report.passed and item.get_closest_marker("shows_keys") is None:
            report.outcome, report.longrepr = "failed", "a key is given away: " + "; ".join(hidden.found)
        hidden.found.clear()
    return report


@pytest.fixture(autouse=True, scope="session")
def signals_act() -> None:
    """Undo what this process inherited, and what the processes that tests start would inherit in turn.

    A shell starts jobs in the background with SIGINT ignored, and nohup ignores SIGHUP.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture(autouse=True, scope="module")
def collect_quickly() -> None:
    """Let the collector pass over what was imported and what other modules' tests left in caches.

    A collection after each test then takes a tenth of the time, also at the end of a long run.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """No thread of a node survives a test; a socket that does warns when collected, and warnings are errors."""
    if "sockets" not in request.path.parts:  # collecting takes longer than most tests do
        yield
        return
    before = set(threading.enumerate())
    yield
    gc.collect()
    threads = [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("swim")]
    for thread in threads:
        if thread.name in ("swim resolver", "swim log"):  # shared by all nodes, they end by themselves
            thread.join(60)
    assert [thread.name for thread in threads if thread.is_alive()] == []


@pytest.fixture
def new_host() -> Iterator[Callable[[], Host]]:
    """Makes hosts (network namespaces) without any network; skips where that can't be."""
    with new_hosts() as make:
        yield make


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts an example, or another command, and kills what a test leaves."""
    with starting() as begin:
        yield begin


@pytest.fixture
def seed() -> Iterator[swim_threads.ThreadNode]:
    """A member in this process that others join."""
    with swim_threads.open_node(HERE, name="seed", config=CONFIG) as node:
        yield node
