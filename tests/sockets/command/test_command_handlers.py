"""`swim agent --on EVENTS COMMAND`: commands that run for events."""

import json
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from support.agents import PATIENCE, agents
from support.inside import feed_no_more
from support.waiting import wait_until
from swim_anyio.command import handlers
from swim_anyio.command.handlers import EVENTS, Handlers, On, read_on
from swim_core import ConfigError

pytestmark = [pytest.mark.processes, pytest.mark.skipif(sys.platform == "win32", reason="scripts of a POSIX shell")]

RECORD = {"t": 1.0, "event": "dead", "member": "eve", "address": "10.0.0.1:1", "rule": "gone", "accuser": "ann"}


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_death_runs_it_with_the_event_and_variables(tmp_path: Path) -> None:
    told = tmp_path / "told"
    page = script(
        tmp_path / "page.sh",
        f'cat >"{told}.new"; echo "$ON_SELF $ON_EVENT $ON_MEMBER" >>"{told}.new"; echo noise; mv "{told}.new" "{told}"',
    )
    with agents() as start:
        ann = start("ann", "--on", "dead,left", page)
        bob = start("bob", join=ann)
        ann.wait_for("alive", member="bob")
        bob.process.kill()
        died = ann.wait_for("dead", member="bob")
        wait_until(told.exists)
    record, words = told.read_text().splitlines()
    assert json.loads(record)["member"] == died["member"]
    assert words == "ann dead bob"


def test_one_that_runs_does_not_hold_up_the_end_of_the_agent(tmp_path: Path) -> None:
    began, ended = tmp_path / "began", tmp_path / "ended"
    wait = f'touch "{began}"; while [ ! -e "{tmp_path}/go" ]; do sleep 0.05; done; touch "{ended}"'
    with agents() as start:
        ann = start("ann", "--on", "alive", script(tmp_path / "page.sh", wait))
        start("bob", join=ann)
        wait_until(began.exists)
        ann.process.send_signal(signal.SIGTERM)
        try:
            assert ann.process.wait(PATIENCE) == 0
        finally:
            (tmp_path / "go").touch()
        wait_until(ended.exists)


def run(on: On, records: Sequence[dict[str, object]]) -> None:
    """Take the records, and work until nothing waits and nothing runs."""

    async def main() -> None:
        handling = Handlers(on, "ann")
        for record in records:
            handling.take(record)
        feed_no_more(handling)
        await handling.serve()

    anyio.run(main)


def test_no_more_run_or_wait_than_so_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(handlers, "WAITING", 3)
    ran = tmp_path / "ran"
    page = script(tmp_path / "page.sh", f'echo x >>"{ran}"')
    with caplog.at_level(logging.WARNING):
        run(On(frozenset({"dead"}), (page,)), [RECORD] * 10 + [RECORD | {"event": "left"}])
    assert ran.read_text().count("x") == 3
    assert "7 events were dropped" in caplog.text


@pytest.mark.parametrize(
    ("text", "says"), [("sleep 60 & wait", "was killed after 0.2 s"), ("exit 3", "ended with status 3")]
)
def test_one_that_takes_too_long_or_fails_is_reported(
    text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(handlers, "LONGEST", 0.2)
    run(On(frozenset({"dead"}), (script(tmp_path / "page.sh", text),)), [RECORD])
    assert says in caplog.text


def test_one_that_is_not_there_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run(On(frozenset({"dead"}), (str(tmp_path / "none"),)), [RECORD])
    assert "can't be run: No such file" in caplog.text


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        (("tired", "x"), "no event 'tired'"),
        (("dead,", "x"), "no event ''"),
        (("dead", " "), "empty"),
        (("dead", "'x"), "quot"),
    ],
)
def test_what_is_not_an_event_or_a_command(pair: tuple[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_on(pair)


def test_words_are_those_of_a_shell_and_events_those_that_are_printed() -> None:
    assert read_on(("dead, left", "./page.sh 'to ops'")) == On(frozenset({"dead", "left"}), ("./page.sh", "to ops"))
    assert read_on(None) is None
    assert {"alive", "suspect", "dead", "left", "isolated"} <= EVENTS
    assert "pinged" not in EVENTS
