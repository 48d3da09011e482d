"""Structured logs through the standard library: a program that embeds us decides what becomes of them.

Loggers from `get_logger` turn structlog's event dictionaries into standard records and configure nothing. Only the
daemon calls `configure`. `BusHandler` puts records on the event bus for those who watch logs.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, WrappedLogger

from maglev.api import LogEvent

_FIELDS = "maglev_fields"


def _to_record(_logger: WrappedLogger, _method: str, event: EventDict) -> dict[str, Any]:
    message = event.pop("event")
    exc_info = event.pop("exc_info", None)
    return {"msg": message, "exc_info": exc_info, "extra": {_FIELDS: dict(event)}}


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A structlog logger over the standard one of that name; usable before, and without, any configuration.

    Args:
        name: Dotted, beginning with `maglev`.
    """
    wrapped = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[structlog.stdlib.filter_by_level, _to_record],
        wrapper_class=structlog.stdlib.BoundLogger,
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return cast("structlog.stdlib.BoundLogger", wrapped)


def _fields_of(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    record = event.get("_record")
    fields = getattr(record, _FIELDS, None) if record is not None else None
    if isinstance(fields, dict):
        event.update({key: value for key, value in fields.items() if key not in event})
    return event


def configure(level: str, fmt: str | None = None, stream: TextIO | None = None) -> None:
    """Set up logging for the daemon.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        fmt: `json` or `console`; `None` is JSON unless the stream is a terminal.
        stream: Where to; standard error by default.
    """
    out = stream if stream is not None else sys.stderr
    console = fmt == "console" if fmt else out.isatty()
    renderer: Any = (
        # A plain traceback: that of rich, if it is installed, prints local variables, and secrets with them.
        structlog.dev.ConsoleRenderer(colors=_coloured(out), exception_formatter=structlog.dev.plain_traceback)
        if console
        else structlog.processors.JSONRenderer(default=str)
    )
    tail: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if not console:
        tail.append(structlog.processors.format_exc_info)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            _fields_of,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=not console),
        ],
        processors=[*tail, renderer],
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())


def _coloured(stream: TextIO) -> bool:
    """Whether a stream takes colours: a terminal that can, unless `NO_COLOR` says otherwise."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class BusHandler(logging.Handler):
    """Publishes log records as events.

    Args:
        publish: Takes the event.
        wanted: Whether anybody listens; asked first, since most of the time nobody does.
    """

    def __init__(self, publish: Callable[[LogEvent], None], wanted: Callable[[], bool]) -> None:
        super().__init__()
        self._publish = publish
        self._wanted = wanted

    def emit(self, record: logging.LogRecord) -> None:
        """Publish one record, if anybody wants it."""
        if not self._wanted():
            return
        fields = getattr(record, _FIELDS, {})
        self._publish(LogEvent(record.created, record.levelname.lower(), record.getMessage(), dict(fields)))
