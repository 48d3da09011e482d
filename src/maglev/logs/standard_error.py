"""The logs of a daemon: its own records, and what anybody else writes to standard error.

C libraries, tracebacks of threads and a plugin's `print` write to the descriptor itself. They would wait for who reads
it, and put bytes on a terminal that nobody has looked at. While the daemon runs they write into a pipe that a thread of
ours reads, each line a record.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from maglev.logs.output import LogOutput, configure

STANDARD_ERROR = "stderr"
"""The logger of what was written to standard error; each line is a warning."""
_DRAINED_WITHIN_S = 1.0
_LONGEST = 64 * 1024


@contextmanager
def logging_to_standard_error(level: str, fmt: str | None = None, *, audit: str = "") -> Iterator[LogOutput]:
    """Log while the context lasts; then what waits is written, unless nobody reads it.

    A crash of the interpreter writes its traceback all the same; what a C library says as it aborts is lost.

    Args:
        level: As for `configure`, like the others.
        fmt: `json` or `console`; `None` is JSON unless standard error is a terminal.
        audit: Where the audit record goes.

    Raises:
        AuditError: The audit record cannot be written there.
    """
    descriptor = _descriptor_of(sys.stderr)
    real = None if descriptor is None else _duplicate(sys.stderr, descriptor)
    output = configure(level, fmt, real, audit=audit)
    try:
        if descriptor is None or real is None:
            yield output
        else:
            with _captured(descriptor, real):
                yield output
    finally:
        output.close()


def _descriptor_of(stream: TextIO | None) -> int | None:
    """Return what a stream writes to; `None` if it was closed, or is one in memory."""
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError):
        return None


def _duplicate(stream: TextIO, descriptor: int) -> TextIO:
    # Never closed: the thread that writes may still wait for who reads when the daemon ends.
    return open(os.dup(descriptor), "w", encoding=stream.encoding, closefd=False)


@contextmanager
def _captured(descriptor: int, real: TextIO) -> Iterator[None]:
    """Make records of what is written to standard error while the context lasts."""
    sys.stderr.flush()
    source, target = os.pipe()
    os.dup2(target, descriptor)
    os.close(target)
    faulthandler.enable(real)
    thread = threading.Thread(target=_read, args=(source,), name="standard error", daemon=True)
    thread.start()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(real.fileno(), descriptor)
        faulthandler.disable()
        # It ends with the last process that can write: one of ours that lives on must not hold up the end.
        thread.join(_DRAINED_WITHIN_S)


def _read(source: int) -> None:
    log = logging.getLogger(STANDARD_ERROR)
    log.setLevel(logging.WARNING)  # a traceback may be in it: shown whatever the level of all else
    rest = b""
    with open(source, "rb", buffering=0) as pipe:
        while piece := pipe.read(_LONGEST):
            *lines, rest = (rest + piece).split(b"\n")
            if len(rest) > _LONGEST:
                lines, rest = [*lines, rest], b""
            for line in filter(None, lines):
                log.warning("%s", line.decode(errors="backslashreplace"))
    if rest:
        log.warning("%s", rest.decode(errors="backslashreplace"))
