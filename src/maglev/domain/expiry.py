"""Decides when to warn that a certificate ends."""

from __future__ import annotations

DAY_S = 86_400.0


def must_warn(ends_s: float, now_s: float, *, within_s: float, warned_at_s: float | None) -> bool:
    """Whether to warn now that a certificate ends soon, or has ended: at most once a day.

    Args:
        ends_s: When it ends, as POSIX time in seconds.
        now_s: Now, likewise.
        within_s: From how long before its end on, in seconds; 0: never.
        warned_at_s: When the last warning was; `None`: there was none of this certificate.
    """
    if not within_s or ends_s - now_s >= within_s:
        return False
    return warned_at_s is None or not 0 <= now_s - warned_at_s < DAY_S  # a clock that was set back warns again
