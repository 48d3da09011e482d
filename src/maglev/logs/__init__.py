"""Logs: loggers, and for our commands how a line looks and the thread that writes it."""

from maglev.logs.audit import AUDIT, AuditError, outcome
from maglev.logs.loggers import get_logger
from maglev.logs.output import LogOutput, configure
from maglev.logs.records import FIELDS
from maglev.logs.standard_error import logging_to_standard_error

__all__ = [
    "AUDIT",
    "FIELDS",
    "AuditError",
    "LogOutput",
    "configure",
    "get_logger",
    "logging_to_standard_error",
    "outcome",
]
