"""Sends records to standard error through a thread, and audit records to their own stream if there is one.

Only commands call `configure`; a program that embeds us decides itself what becomes of our records.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import TextIO

from maglev.logs.audit import AUDIT, audit_sink
from maglev.logs.lines import Render, console_lines, json_lines
from maglev.logs.records import make_record
from maglev.logs.writer import MOST_WAITING, LogWriter, Sink, write_all

FLUSH_WITHIN_S = 2.0
"""How long the end of a command waits for who reads its log."""


class LogHandler(logging.Handler):
    """Hands records to a writer.

    Args:
        sink: What the writer writes to.
        render: How a record becomes a line.
        most: How many bytes may wait.
    """

    def __init__(self, sink: Sink, render: Render, *, most: int = MOST_WAITING) -> None:
        super().__init__()
        self._render = render
        self.writer = LogWriter(sink, self._told, most=most)

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one record on, or count it as lost."""
        self.writer.offer(partial(self._render, record))

    def _told(self, lost: int) -> bytes:
        return self._render(make_record("maglev.log", logging.WARNING, "log-overflow", lost=lost))


class AuditHandler(logging.Handler):
    """Writes the audit record to its own stream; what that cannot take goes to the log.

    Args:
        sink: What is written to, lines of JSON.
        log: The log's handler.
        most: How many bytes may wait.
    """

    def __init__(self, sink: Sink, log: LogHandler, *, most: int = MOST_WAITING) -> None:
        super().__init__()
        self._render = json_lines()
        self._log = log
        self.writer = LogWriter(sink, self._told, most=most, failed=self._failed)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        if not self.writer.offer(partial(self._render, record)):
            self._log.emit(record)

    def _told(self, lost: int) -> bytes:
        return self._render(make_record(AUDIT, logging.WARNING, "log-overflow", lost=lost, written="to the log"))

    def _failed(self, lines: Sequence[bytes], error: OSError) -> None:
        why = {"error": str(error), "records": len(lines)}
        self._log.emit(make_record("maglev.log", logging.ERROR, "audit-not-written", **why))
        for line in lines:
            self._log.writer.offer(partial(bytes, line))


class LogOutput:
    """The logs of one command, until it is closed."""

    def __init__(self, log: LogHandler, audit: AuditHandler | None) -> None:
        self._log = log
        self._audit = audit

    def close(self, within_s: float = FLUSH_WITHIN_S) -> None:
        """Write what waits, so many seconds at most for each stream. Nothing is logged after that."""
        if self._audit is not None:
            self._audit.writer.close(within_s)
        self._log.writer.close(within_s)


def configure(
    level: str, fmt: str | None = None, stream: TextIO | None = None, *, audit: str = "", most: int = MOST_WAITING
) -> LogOutput:
    """Set up the logs of a command.

    Our own records are written from `level` on, those of libraries from `warning` on: below that, they tell what a peer
    sent. The audit record is written whatever the level.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        fmt: `json` or `console`; `None` is JSON unless the stream is a terminal.
        stream: Where to; standard error by default.
        audit: Where the audit record goes: a file, `journal`, or empty: with the other records.
        most: How many bytes may wait for who reads.

    Returns:
        What is to be closed at the end.

    Raises:
        AuditError: The audit record cannot be written there.
    """
    own_sink = audit_sink(audit) if audit else None
    out = stream if stream is not None else sys.stderr
    tty = out is not None and out.isatty()
    console = fmt == "console" if fmt else tty
    encoding = getattr(out, "encoding", None) or "utf-8"
    log = LogHandler(
        _sink_of(out), console_lines(encoding, colors=tty and _takes_colours()) if console else json_lines(), most=most
    )
    own = AuditHandler(own_sink, log, most=most) if own_sink is not None else None
    least = logging.getLevelNamesMapping()[level.upper()]
    root, audit_logger = logging.getLogger(), logging.getLogger(AUDIT)
    for logger in (root, audit_logger):
        for old in logger.handlers[:]:
            logger.removeHandler(old)
    root.addHandler(log)
    root.setLevel(max(least, logging.WARNING))
    logging.getLogger("maglev").setLevel(least)
    audit_logger.setLevel(logging.INFO)
    if own is not None:
        # Still a record below `maglev`: who watches logs over the API gets it too.
        log.addFilter(lambda record: record.name != AUDIT)
        audit_logger.addHandler(own)
    logging.captureWarnings(True)
    return LogOutput(log, own)


def _takes_colours() -> bool:
    """Whether a terminal may be written to in colours: one that can, unless `NO_COLOR` says otherwise."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _sink_of(out: TextIO | None) -> Sink:
    """Write to a stream's descriptor: a lock of the stream that the thread holds would keep the process from ending."""
    if out is None:  # standard error was closed
        return lambda _lines: None
    try:
        descriptor = out.fileno()
    except (OSError, ValueError):  # a stream in memory
        return partial(_write_text, out)
    return lambda lines: write_all(descriptor, b"".join(lines))


def _write_text(out: TextIO, lines: Sequence[bytes]) -> None:
    out.write(b"".join(lines).decode(errors="replace"))
    out.flush()
