"""A partition and two kills while nobody looked: what an operator finds out afterwards, from one host (as the page
"Troubleshooting" tells it)."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.agents import SWIM
from support.hosts import Host
from support.page_of_both import page_of_both
from support.six_hosts import EAST, EVERYBODY, WEST, SixHosts
from support.terminals import Terminal

pytestmark = [pytest.mark.sockets, pytest.mark.processes, pytest.mark.slow]


def typed(cluster: SixHosts, *words: str) -> list[str]:
    """What somebody who types a command on the first host sees on a terminal of 80 columns."""
    command = ["ip", "netns", "exec", cluster.hosts[1].name, *SWIM, *words]
    terminal = Terminal(command, {"SWIM_KEY_FILE": str(cluster.key_file), "SWIM_JOIN": "10.77.0.1:7946"})
    terminal.end()
    plain = re.sub(rb"\x1b\[[0-9;]*m", b"", terminal.written).decode()
    print(f"$ swim {' '.join(words)}\n{plain}")  # for the page, and for whoever looks at a failure
    return plain.replace("\r", "").splitlines()


def test_afterwards_one_finds_out_what_happened_when_and_why(new_host: Callable[[], Host], tmp_path: Path) -> None:
    cluster = SixHosts(new_host, tmp_path)
    cluster.wait(EVERYBODY, "alive", EVERYBODY)
    cluster.part()
    cluster.wait(EAST, "dead", WEST)
    cluster.wait(WEST, "dead", EAST)
    for victim, others in ((2, (1, 3)), (5, (4, 6))):
        cluster.agents[victim].kill()
        cluster.wait(others, "dead", (victim,))
    cluster.heal()
    cluster.wait((1, 3), "alive", (4, 6), times=2)
    cluster.wait((4, 6), "alive", (1, 3), times=2)

    began = time.monotonic()
    events = typed(cluster, "events", "--since", "1h")
    why = typed(cluster, "why")
    gone = typed(cluster, "members", "--gone")
    hear = typed(cluster, "reachability")
    with page_of_both(cluster) as page:
        shown = page.deaths()
    assert time.monotonic() - began < 60.0

    assert all(len(line) <= 80 for output in (events, why, gone, hear) for line in output)
    story = " ".join(" ".join(events).split())
    for lost in WEST:  # the network's part: each side lost sight of the other
        assert re.search(rf"dead n{lost}: [^()]*, says n[123] \(unknown to n[46]", story)
    for survivor in (1, 3):
        assert re.search(rf"dead n{survivor}: [^()]*, says n[456] \(unknown to n[13]", story)
    for victim, witness in ((2, "n[13]"), (5, "n[46]")):  # the processes' part
        assert re.search(rf"dead n{victim}: process ended without a goodbye, says {witness}", story)
    assert "as 4 of 4 live members remember them." in story
    assert re.match(r"n[46] sees n5 \(10\.77\.0\.5:7946\) as dead: process ended ", why[0])  # those that were there
    assert any(re.match(r"n5 .* dead .*role=db", line) for line in gone)
    assert hear[-1] == "4 of 4 members hear all others."
    ended = {(death["member"], death["missed_by"][0]) for death in shown if death["rule"] == "gone"}
    assert ended == {("n2", "n4"), ("n5", "n1")}  # each kill, and the side that had given it up already
