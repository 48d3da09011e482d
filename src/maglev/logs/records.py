"""Makes log records with fields beside their message."""

from __future__ import annotations

import logging

FIELDS = "maglev_fields"
"""The attribute of a record that holds its fields, a dict: pass them as `extra={FIELDS: {…}}`."""


def make_record(name: str, level: int, message: str, **fields: object) -> logging.LogRecord:
    """Make a record that goes to no logger.

    Args:
        name: The logger that it is to be shown under.
        level: As `logging.INFO`.
        message: The event's name.
        fields: What is known of it.
    """
    record = logging.LogRecord(name, level, "", 0, message, None, None)
    setattr(record, FIELDS, fields)
    return record
