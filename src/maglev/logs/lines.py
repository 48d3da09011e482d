"""Formats a record as a line: JSON for programs, text for people. Neither can control a terminal."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from maglev.logs.records import FIELDS, make_record
from maglev.terminal_text import escaped

_PLAIN = (bool, int, float, type(None))

Render = Callable[[logging.LogRecord], bytes]
"""Makes a record's line, with its end."""


def json_lines() -> Render:
    """Render records as JSON, one object a line, in ASCII."""
    return _rendering(
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_dumps)], "ascii", utc=True
    )


def console_lines(encoding: str = "utf-8", *, colors: bool = False) -> Render:
    """Render records for people.

    Whatever a record holds that is not printable is escaped, line breaks too; only a traceback has several lines, and
    all but its first are indented. So nothing that a peer sent can look like a record or act on the terminal.

    Args:
        encoding: The terminal's; what it has not is escaped.
        colors: Whether to use colours.
    """
    console = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=_write_traceback)
    return _rendering([_escape, console], encoding, utc=False)


def _rendering(tail: list[Processor], encoding: str, *, utc: bool) -> Render:
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            _fields_of,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=utc),
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail],
    )

    def render(record: logging.LogRecord) -> bytes:
        try:
            text = formatter.format(record)
        except Exception as error:  # noqa: BLE001 - arguments that do not fit the message, or fields that show nothing
            template = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
            fields = {"of": record.name, "template": template, "error": str(error)}
            text = formatter.format(make_record("maglev.log", logging.ERROR, "log-unreadable", **fields))
        return f"{text}\n".encode(encoding, "backslashreplace")

    return render


def _fields_of(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    record = event.get("_record")
    fields = getattr(record, FIELDS, None) if record is not None else None
    if isinstance(fields, dict):
        event.update({key: value for key, value in fields.items() if key not in event})
    return event


def _dumps(event: Any, **_options: Any) -> str:
    # JSON's own escapes leave out one control character.
    return json.dumps(event, default=str).replace("\x7f", "\\u007f")


def _escape(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {escaped(str(key)): value if key == "exc_info" else _harmless(value) for key, value in event.items()}


def _harmless(value: object) -> object:
    if isinstance(value, _PLAIN):
        return value
    return escaped(value if isinstance(value, str) else repr(value))


def _write_traceback(out: TextIO, exc_info: ExcInfo) -> None:
    text = io.StringIO()
    structlog.dev.plain_traceback(text, exc_info)
    first, *more = text.getvalue().rstrip("\n").split("\n")
    out.write("\n".join([escaped(first), *(f"  {escaped(line)}" for line in more)]))
