"""The agent's log: lines for people or JSON for programs."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.waiting import wait_until
from swim_anyio.command.choices import Format, LogLevel
from swim_anyio.command.logs import MOST, BackgroundHandler, JsonFormatter, start_logging
from swim_core import Address


@contextmanager
def nothing_set_up() -> Iterator[None]:
    """The root logger as it is in a new process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def test_a_record_is_one_json_object() -> None:
    record = logging.LogRecord(
        "swim_anyio.seeds", logging.WARNING, __file__, 1, "no %s\nfrom %s", ("answer", "x"), None
    )
    record.node, record.seeds = "ann", [Address("10.0.0.1", 1)]
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line) == {
        "t": record.created,
        "level": "warning",
        "logger": "swim_anyio.seeds",
        "message": "no answer\nfrom x",
        "node": "ann",
        "seeds": [["10.0.0.1", 1]],
    }


def test_an_exception_comes_with_its_traceback_and_odd_fields_as_text() -> None:
    try:
        raise ZeroDivisionError("a bug")
    except ZeroDivisionError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "broken", (), sys.exc_info())
    record.odd = object
    fields = json.loads(JsonFormatter().format(record))
    assert fields["exception"].startswith("Traceback")
    assert fields["exception"].endswith("ZeroDivisionError: a bug")
    assert fields["odd"] == "<class 'object'>"


@pytest.mark.parametrize(("format", "line"), [(Format.TEXT, "swim: WARNING: a\n"), (Format.JSON, '"message":"a"}\n')])
def test_the_log_goes_to_standard_error_from_its_level_on(
    capsys: pytest.CaptureFixture[str], format: Format, line: str
) -> None:
    with nothing_set_up():
        start_logging(LogLevel.WARNING, format)
        logging.getLogger("swim_anyio").info("b")
        logging.getLogger("swim_anyio").warning("a")
    output = capsys.readouterr()
    assert output.err.endswith(line)
    assert output.err.count("\n") == 1
    assert output.out == ""


def test_what_is_reported_on_standard_output_is_not_said_twice(capsys: pytest.CaptureFixture[str]) -> None:
    with nothing_set_up():
        start_logging(LogLevel.DEBUG, Format.TEXT)
        logging.getLogger("swim_anyio.events").warning("isolated")
    assert capsys.readouterr().err == ""


def record_of(message: str) -> logging.LogRecord:
    return logging.LogRecord("x", logging.INFO, __file__, 1, message, (), None)


def test_a_reader_who_stops_reading_holds_nobody_up_and_is_told_what_was_lost() -> None:
    """The node shares a thread with the code that logs, and would be declared dead."""
    before = set(threading.enumerate())
    reading, writing = os.pipe()
    with open(reading, encoding="utf-8") as reader, open(writing, "w", encoding="utf-8") as stream:
        handler = BackgroundHandler(stream)
        handler.setFormatter(JsonFormatter())
        for number in range(3 * MOST):
            handler.handle(record_of(f"{number:0200}"))  # far more than a pipe and the queue hold
        messages = [json.loads(reader.readline())["message"] for _ in range(MOST)]
        assert messages == [f"{number:0200}" for number in range(MOST)]
        handler.handle(record_of("the last"))
        while messages[-1] != "the last":
            messages.append(json.loads(reader.readline())["message"])
        told = [
            int(message.split()[0]) for message in messages if message.endswith("because nobody read standard error")
        ]
        assert sum(told) > MOST
        assert sum(told) + len(messages) - len(told) == 3 * MOST + 1
        handler.flush()
        handler.close()
        wait_until(lambda: "swim-logs" not in [thread.name for thread in set(threading.enumerate()) - before])


def test_the_end_waits_for_what_is_still_to_be_written() -> None:
    reading, writing = os.pipe()
    with open(reading, encoding="utf-8") as reader:
        with open(writing, "w", encoding="utf-8") as stream:
            handler = BackgroundHandler(stream)
            for number in range(100):
                handler.handle(record_of(str(number)))
            handler.flush()
            handler.close()
        assert reader.read().split() == [str(number) for number in range(100)]


def test_what_cannot_be_formatted_is_told_in_the_log() -> None:
    reading, writing = os.pipe()
    with open(reading, encoding="utf-8") as reader:
        with open(writing, "w", encoding="utf-8") as stream:
            handler = BackgroundHandler(stream)
            handler.handle(logging.LogRecord("x", logging.INFO, __file__, 1, "%d", ("not a number",), None))
            handler.flush()
            handler.close()
        assert "a record of x can't be formatted: '%d'" in reader.read()


@pytest.mark.processes
def test_a_process_ends_though_nobody_reads_its_standard_error() -> None:
    script = """
import logging
from swim_anyio.command.choices import Format, LogLevel
from swim_anyio.command.logs import start_logging
start_logging(LogLevel.DEBUG, Format.TEXT)
for number in range(2_000):
    logging.getLogger("x").info("%0200d", number)
"""
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, env=buffered) as process:
        try:
            assert process.wait(30.0) == 0
        finally:
            process.kill()


def test_without_a_standard_error_nothing_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after ``swim agent 2>&-``."""
    monkeypatch.setattr(sys, "stderr", None)
    with nothing_set_up():
        start_logging(LogLevel.WARNING, Format.TEXT)
        logging.getLogger("swim_anyio").warning("a")
