"""An hour of twelve sealed members on hosts of their own, in trouble and under attack; see `support.sealed_hour`.

`SEALED_HOUR` is its length in seconds, five minutes by default. docs/security.md has the figures of one.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from support.hosts import Host
from support.sealed_hour import Hour

SECONDS = float(os.environ.get("SEALED_HOUR", "300"))


@pytest.mark.slow
@pytest.mark.sockets
@pytest.mark.processes
@pytest.mark.timeout(SECONDS + 420)
def test_nothing_false_nothing_lost_and_memory_flat(new_host: Callable[[], Host], tmp_path: Path) -> None:
    report = Hour(new_host, tmp_path, seconds=SECONDS, rotate=min(300.0, SECONDS / 3)).run()
    print(report)
    assert report.ended == []
    assert report.false == []
    assert report.lost == []
    assert report.missed == []
    assert report.apart == []
    assert report.intruders == set()
    assert report.did["rotation"] >= 1
    assert report.attacker["again"] > SECONDS
    assert report.growth
    assert all(after < before + 10.0 for _, before, after in report.growth), report.growth
