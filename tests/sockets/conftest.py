"""What every test on sockets must hold to: nothing is left behind."""

import gc
import threading
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def collect_quickly() -> None:
    """Let the collector pass over what was imported: a collection after each test then takes a tenth of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No thread of a node survives a test; a socket that does warns when collected, and warnings are errors."""
    yield
    gc.collect()
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("swim")]
    for thread in threads:
        if thread.name == "swim resolver":  # getaddrinfo can't be interrupted: where DNS hangs, it ends when it ends
            thread.join(60)
    assert [thread.name for thread in threads if thread.is_alive()] == []
