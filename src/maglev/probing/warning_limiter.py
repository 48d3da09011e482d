"""Limits how often the engine warns of the same thing."""

from __future__ import annotations

import logging
from collections.abc import Callable

_EVERY_NS = 60_000_000_000

_log = logging.getLogger("maglev.probing")


def log_warning(message: str, error: BaseException | None) -> None:
    """Write a warning, with a traceback if there is one, to the standard library's logging."""
    _log.warning(message, exc_info=error)


class WarningLimiter:
    """Passes warnings on, at most one a minute about each subject.

    Args:
        warn: Takes the message and the exception behind it, if any.
        clock_ns: The monotonic clock.
    """

    def __init__(self, warn: Callable[[str, BaseException | None], None], clock_ns: Callable[[], int]) -> None:
        self._warn = warn
        self._clock_ns = clock_ns
        self._last: dict[int, tuple[int, object]] = {}

    def __call__(self, subject: object, message: str, error: BaseException | None) -> None:
        """Warn, unless that was done about the same subject within the last minute.

        Args:
            subject: What it is about, by identity.
            message: What happened, in one line.
            error: The exception behind it.
        """
        now_ns = self._clock_ns()
        last = self._last.get(id(subject))
        if last is not None and now_ns - last[0] < _EVERY_NS:
            return
        # The subject is kept beside its id, so that no other object gets that id in the meantime.
        self._last = {key: value for key, value in self._last.items() if now_ns - value[0] < _EVERY_NS}
        self._last[id(subject)] = now_ns, subject
        self._warn(message, error)
