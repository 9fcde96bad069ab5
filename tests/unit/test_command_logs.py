"""The agent's log: lines for people or JSON for programs."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from swim_anyio.command.choices import Format, LogLevel
from swim_anyio.command.logs import JsonFormatter, start_logging
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
