"""Puts log records on the event bus for those who watch logs; loggers are those of `maglev.logs`."""

from __future__ import annotations

import logging
from collections.abc import Callable

from maglev.api import LogEvent
from maglev.logs import FIELDS, get_logger

__all__ = ["BusHandler", "get_logger"]


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
        fields = getattr(record, FIELDS, {})
        self._publish(LogEvent(record.created, record.levelname.lower(), record.getMessage(), dict(fields)))
