"""Structured logs through the standard library: a program that embeds us decides what becomes of them.

Loggers from `get_logger` turn structlog's event dictionaries into standard records and configure nothing.
"""

from __future__ import annotations

import logging
from typing import Any, cast

import structlog
from structlog.typing import EventDict, WrappedLogger

from maglev.logs.records import FIELDS


def _to_record(_logger: WrappedLogger, _method: str, event: EventDict) -> dict[str, Any]:
    message = event.pop("event")
    exc_info = event.pop("exc_info", None)
    return {"msg": message, "exc_info": exc_info, "extra": {FIELDS: dict(event)}}


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
