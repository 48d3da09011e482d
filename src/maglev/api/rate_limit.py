"""Limits how often a log says the same thing."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from math import inf


class RateLimit:
    """Lets one message about each subject through in a period, and counts those that it held back.

    Args:
        every_s: The period, in seconds.
        most: How many subjects are remembered; with more, the one whose message is the oldest is forgotten.
        clock_s: A monotonic clock in seconds.
    """

    def __init__(
        self, every_s: float = 60.0, *, most: int = 1024, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._every_s = every_s
        self._most = most
        self._clock_s = clock_s
        self._subjects: dict[Hashable, tuple[float, int]] = {}

    def __len__(self) -> int:
        return len(self._subjects)

    def allow(self, subject: Hashable = None) -> int:
        """Decide whether a message may be written now.

        Args:
            subject: What the message is about; messages about different subjects do not hold each other back.

        Returns:
            0 if the message must not be written; else how many messages it stands for: itself, and those about the
            subject that were held back since the last one.
        """
        now_s = self._clock_s()
        written_s, held_back = self._subjects.get(subject, (-inf, 0))
        if now_s - written_s < self._every_s:
            self._subjects[subject] = written_s, held_back + 1
            return 0
        self._subjects.pop(subject, None)  # the newest stands last
        self._subjects[subject] = now_s, 0
        if len(self._subjects) > self._most:
            del self._subjects[next(iter(self._subjects))]
        return held_back + 1
