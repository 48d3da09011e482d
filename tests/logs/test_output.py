"""Logs of a command: JSON or console lines, whose records are written, and nothing that acts on a terminal."""

from __future__ import annotations

import io
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maglev.logs import AuditError, LogOutput, configure
from maglev.runtime.logging import get_logger

WITHIN_S = 30.0


class Log:
    """Logs that a test configures, and what came of them."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self._outputs: list[LogOutput] = []

    def configure(self, level: str = "info", fmt: str | None = "json", **more: Any) -> LogOutput:
        self._outputs.append(configure(level, fmt, self.stream, **more))
        return self._outputs[-1]

    @property
    def text(self) -> str:
        """All that was written, and the end of it."""
        for output in self._outputs:
            output.close(WITHIN_S)
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def log() -> Iterator[Log]:
    loggers = [logging.getLogger(name) for name in ("", "maglev", "maglev.audit")]
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    made = Log()
    yield made
    _ = made.text
    logging.captureWarnings(False)
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)


def test_json_has_one_object_a_line_with_all_fields(log: Log) -> None:
    log.configure()
    get_logger("maglev.test").warning("weight", backend="a", weight=100)
    (line,) = log.lines
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "weight", "backend": "a", "weight": 100, "level": "warning", "logger": "maglev.test"}


def test_a_stream_that_is_no_terminal_gets_json(log: Log) -> None:
    log.configure(fmt=None)
    get_logger("maglev.test").info("x")
    assert log.lines[0]["event"] == "x"


def test_the_console_format_is_for_people(log: Log) -> None:
    log.configure(fmt="console")
    get_logger("maglev.test").info("weight", backend="a")
    assert "weight" in log.text
    assert "backend=a" in log.text
    assert "{" not in log.text


def test_less_than_the_level_is_left_out(log: Log) -> None:
    log.configure("warning")
    get_logger("maglev.test").info("no")
    get_logger("maglev.test").error("yes")
    assert [line["event"] for line in log.lines] == ["yes"]


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_an_exception_is_logged_with_its_traceback(log: Log, fmt: str) -> None:
    log.configure(fmt=fmt)
    try:
        raise RuntimeError("told nobody")
    except RuntimeError:
        get_logger("maglev.test").exception("crashed", exporter="x")
    assert "RuntimeError: told nobody" in log.text
    assert "Traceback" in log.text


def test_records_of_others_are_written_alike(log: Log) -> None:
    log.configure()
    logging.getLogger("somebody").warning("disk %s is full", "sda")
    assert log.lines[0] | {"timestamp": ""} == {
        "event": "disk sda is full",
        "level": "warning",
        "logger": "somebody",
        "timestamp": "",
    }


@pytest.mark.parametrize("level", ["debug", "info"])
def test_what_libraries_say_below_warning_is_not_written_whatever_our_level(log: Log, level: str) -> None:
    log.configure(level)
    for library in ("httpx", "h2", "asyncio"):
        logging.getLogger(library).info("GET /?token=secret")
    assert log.text == ""


def test_warnings_of_python_are_records(log: Log) -> None:
    log.configure()
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.warn("goes away", DeprecationWarning, stacklevel=1)
    assert "DeprecationWarning: goes away" in log.lines[0]["event"]


def test_a_percent_sign_in_a_message_is_no_format(log: Log) -> None:
    log.configure()
    get_logger("maglev.test").info("100% up", share="50%")
    assert log.lines[0]["event"] == "100% up"


def test_a_field_of_any_type_can_be_written(log: Log) -> None:
    log.configure()
    get_logger("maglev.test").info("x", thing={1, 2}, error=ValueError("no"))
    assert log.lines[0]["error"]


class Shy:
    def __str__(self) -> str:
        raise ValueError("I do not show")

    __repr__ = __str__


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_a_record_that_cannot_be_written_is_named_and_hurts_no_other(log: Log, fmt: str) -> None:
    log.configure(fmt=fmt)
    logging.getLogger("somebody").warning("%d \x1b[2J", "not a number")
    get_logger("maglev.test").info("shy", thing=Shy())
    get_logger("maglev.test").info("next")
    first, second, third = log.text.splitlines()
    assert "log-unreadable" in first
    assert "somebody" in first
    assert "\x1b" not in first
    assert "log-unreadable" in second
    assert "next" in third


def test_configuring_again_replaces_what_was(log: Log) -> None:
    first = io.StringIO()
    configure("info", "json", first).close()
    log.configure()
    get_logger("maglev.test").info("x")
    assert len(log.lines) == 1
    assert first.getvalue() == ""


def test_without_standard_error_logging_goes_nowhere(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    output = configure("info")
    get_logger("maglev.test").info("x")
    output.close()


# --- what a peer sent ---------------------------------------------------------------------------------------------

HOSTILE = "ok\x1b[31m\x9b2J\r\n2026-01-01 [info] forged \u202egnorw\u2066\u200b\x7f\ud800"


def is_harmless(text: str) -> bool:
    return all(character == "\n" or character.isprintable() for character in text)


@pytest.mark.parametrize("fmt", ["json", "console"])
@pytest.mark.parametrize("name", ["maglev.test", "somebody"])
def test_whatever_a_record_holds_it_is_one_line_without_a_character_that_acts(log: Log, fmt: str, name: str) -> None:
    log.configure(fmt=fmt)
    logger = get_logger(name)
    fields: dict[str, Any] = {HOSTILE: "key", "text": HOSTILE, "many": [HOSTILE], "error": ValueError(HOSTILE)}
    logger.warning(HOSTILE, **fields)
    logging.getLogger(name).error("%s", HOSTILE)
    assert is_harmless(log.text)
    assert log.text.count("\n") == 2


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_a_traceback_holds_no_character_that_acts_and_no_line_that_looks_like_a_record(log: Log, fmt: str) -> None:
    log.configure(fmt=fmt)
    try:
        raise RuntimeError(HOSTILE)
    except RuntimeError:
        get_logger("maglev.test").exception("crashed")
    assert is_harmless(log.text)
    assert [line for line in log.text.splitlines() if line.startswith("2026-01-01")] == []


def test_what_a_terminal_has_no_character_for_is_escaped(log: Log) -> None:
    log.stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")  # type: ignore[assignment]
    log.configure(fmt="console")
    get_logger("maglev.test").info("x", name="caf\xe9")
    log.stream.getvalue = lambda: log.stream.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined, method-assign]
    assert "caf\\xe9" in log.text


# --- the audit record ---------------------------------------------------------------------------------------------


def test_the_audit_record_is_written_whatever_the_level(log: Log) -> None:
    log.configure("error")
    get_logger("maglev.audit").info("audit", who="me")
    get_logger("maglev.test").info("no")
    assert [line["event"] for line in log.lines] == ["audit"]


def test_an_audit_record_with_a_file_of_its_own_is_there_and_not_in_the_log(log: Log, tmp_path: Path) -> None:
    file = tmp_path / "audit.json"
    log.configure("error", "console", audit=str(file))
    get_logger("maglev.audit").info("audit", who="me")
    get_logger("maglev.test").error("other")
    assert "audit" not in log.text
    (record,) = map(json.loads, file.read_text().splitlines())
    assert (record["event"], record["who"]) == ("audit", "me")
    assert file.stat().st_mode & 0o007 == 0


def test_an_audit_record_that_cannot_be_had_is_refused_at_once(log: Log, tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="No such file"):
        log.configure(audit=str(tmp_path / "none" / "audit.json"))
    with pytest.raises(AuditError):
        log.configure(audit=str(tmp_path))


def test_what_the_audit_file_cannot_take_is_in_the_log(log: Log) -> None:
    log.configure(audit="/dev/full")
    get_logger("maglev.audit").info("audit", who="me")
    told = {line["event"]: line for line in log.lines}
    assert "No space left" in told["audit-not-written"]["error"]
    assert told["audit"]["who"] == "me"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "variable,value,coloured", [("NO_COLOR", "", True), ("NO_COLOR", "1", False), ("TERM", "dumb", False)]
)
def test_the_console_has_colours_unless_they_are_not_wanted(
    variable: str, value: str, coloured: bool, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(variable, value)
    log.stream = Terminal()
    log.configure(fmt=None)
    get_logger("maglev.test").info("hello")
    assert ("\x1b[" in log.text) is coloured
