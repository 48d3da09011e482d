"""Logs: plain standard records in a library, JSON or console lines in the daemon, events for those who watch."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from maglev.api import LogEvent
from maglev.runtime.logging import BusHandler, configure, get_logger


@pytest.fixture(autouse=True)
def _root_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_without_configuration_records_go_where_the_program_sends_them(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "maglev.test"):
        get_logger("maglev.test").info("weight", backend="a", weight=100)
    record = caplog.records[0]
    assert (record.name, record.levelname, record.getMessage()) == ("maglev.test", "INFO", "weight")


def test_json_has_one_object_a_line_with_all_fields() -> None:
    out = io.StringIO()
    configure("info", "json", out)
    get_logger("maglev.test").warning("weight", backend="a", weight=100)
    (line,) = lines(out)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "weight", "backend": "a", "weight": 100, "level": "warning", "logger": "maglev.test"}


def test_a_stream_that_is_no_terminal_gets_json() -> None:
    out = io.StringIO()
    configure("info", None, out)
    get_logger("maglev.test").info("x")
    assert lines(out)[0]["event"] == "x"


def test_the_console_format_is_for_people() -> None:
    out = io.StringIO()
    configure("info", "console", out)
    get_logger("maglev.test").info("weight", backend="a")
    assert "weight" in out.getvalue()
    assert "backend=a" in out.getvalue()
    assert "{" not in out.getvalue()


def test_less_than_the_level_is_left_out() -> None:
    out = io.StringIO()
    configure("warning", "json", out)
    log = get_logger("maglev.test")
    log.info("no")
    log.error("yes")
    assert [line["event"] for line in lines(out)] == ["yes"]


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_an_exception_is_logged_with_its_traceback(fmt: str) -> None:
    out = io.StringIO()
    configure("info", fmt, out)
    try:
        raise RuntimeError("told nobody")
    except RuntimeError:
        get_logger("maglev.test").exception("crashed", exporter="x")
    assert "RuntimeError: told nobody" in out.getvalue()
    assert "Traceback" in out.getvalue()


def test_records_of_others_are_written_alike() -> None:
    out = io.StringIO()
    configure("info", "json", out)
    logging.getLogger("somebody").warning("disk %s is full", "sda")
    assert lines(out)[0] | {"timestamp": ""} == {
        "event": "disk sda is full",
        "level": "warning",
        "logger": "somebody",
        "timestamp": "",
    }


def test_a_percent_sign_in_a_message_is_no_format() -> None:
    out = io.StringIO()
    configure("info", "json", out)
    get_logger("maglev.test").info("100% up", share="50%")
    assert lines(out)[0]["event"] == "100% up"


def test_a_field_of_any_type_can_be_written() -> None:
    out = io.StringIO()
    configure("info", "json", out)
    get_logger("maglev.test").info("x", thing={1, 2}, error=ValueError("no"))
    assert lines(out)[0]["error"]


def test_configuring_again_replaces_what_was() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure("info", "json", first)
    configure("info", "json", second)
    get_logger("maglev.test").info("x")
    assert first.getvalue() == ""
    assert len(lines(second)) == 1


def test_the_bus_gets_records_only_while_somebody_listens() -> None:
    seen: list[LogEvent] = []
    listening = False
    handler = BusHandler(seen.append, lambda: listening)
    logger = logging.getLogger("maglev.test.bus")
    logger.setLevel("INFO")
    logger.addHandler(handler)
    log = get_logger("maglev.test.bus")
    try:
        log.info("unheard")
        listening = True
        log.warning("heard", backend="a")
    finally:
        logger.removeHandler(handler)
    (event,) = seen
    assert (event.level, event.message, event.fields) == ("warning", "heard", {"backend": "a"})


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "variable,value,coloured", [("NO_COLOR", "", True), ("NO_COLOR", "1", False), ("TERM", "dumb", False)]
)
def test_the_console_has_colours_unless_they_are_not_wanted(
    variable: str, value: str, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(variable, value)
    stream = _Terminal()
    configure("info", None, stream)
    get_logger("maglev.test").info("hello")
    assert ("\x1b[" in stream.getvalue()) is coloured
