"""What every test on sockets must hold to: nothing is left behind."""

import gc
import threading
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No thread of a node survives a test; a socket that does warns when collected, and warnings are errors."""
    yield
    gc.collect()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("swim")] == []
