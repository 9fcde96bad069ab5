"""A real partition before `swim page --ask A --ask B`: both views side by side, and where they differ."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.hosts import Host
from support.page_of_both import names, page_of_both
from support.six_hosts import EAST, EVERYBODY, WEST, SixHosts
from support.waiting import wait_until

pytestmark = [pytest.mark.sockets, pytest.mark.processes, pytest.mark.slow]

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


def test_it_shows_each_side_of_a_partition_and_its_end(new_host: Callable[[], Host], tmp_path: Path) -> None:
    cluster = SixHosts(new_host, tmp_path)
    cluster.wait(EVERYBODY, "alive", EVERYBODY)
    whole = [dict.fromkeys(sorted(names(EVERYBODY)), "alive")] * 2
    with page_of_both(cluster) as page:
        assert page.states() == whole
        cluster.part()
        apart = [
            {name: "alive" if name in names(side) else "dead" for name in sorted(names(EVERYBODY))}
            for side in (EAST, WEST)
        ]
        wait_until(lambda: page.states() == apart)
        for death in page.deaths():
            here, there = ("n1", "n4") if death["member"] in names(WEST) else ("n4", "n1")
            assert death["seen_by"] == [here], death
            assert death["missed_by"] == [there] * (death["member"] != there), death
        if CHROMIUM is not None and DRIVER is not None:
            shown = page.look(CHROMIUM, DRIVER)
            assert "They differ on 6 members" in shown["#notices"][0]
            assert {head[:11] for head in shown[".group h3"]} == {"AaliveBdead", "AdeadBalive"}
        cluster.heal()
        wait_until(lambda: page.states() == whole)
