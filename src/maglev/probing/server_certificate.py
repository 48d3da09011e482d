"""Notes which certificate a backend's server shows, and judges when it ends."""

from __future__ import annotations

from collections.abc import Callable
from time import time

from maglev.api import TLS, Code, ProbeResult
from maglev.certificates import not_after_s
from maglev.probing.job import ScheduledJob
from maglev.probing.tls import TLSLayer

_HOUR_S, _DAY_S = 3_600, 86_400


def note(scheduled: ScheduledJob, layer: TLSLayer, certified: Callable[[ScheduledJob], None]) -> None:
    """Look at the certificate of a full handshake: a resumed one shows none. Only another than before is read.

    Args:
        scheduled: Whose server has shown it.
        layer: Its connection, established.
        certified: Called if it is another than before.
    """
    der = layer.certificate()
    seen = hash(der)
    if seen == scheduled.certificate:
        return
    scheduled.certificate = seen
    scheduled.not_after_s = not_after_s(der)
    certified(scheduled)


def judge(scheduled: ScheduledJob, tls: TLS) -> ProbeResult | None:
    """Fail where the certificate in force ends sooner than is wanted; `None` where it does not, or cannot be read."""
    if not tls.min_validity_s or scheduled.not_after_s is None:
        return None
    return ends_too_soon(scheduled.not_after_s, time(), tls.min_validity_s)


def ends_too_soon(not_after_s: float, now_s: float, min_validity_s: float) -> ProbeResult | None:
    """Judge when a certificate ends; all in seconds, the first two POSIX time. `None` if it is valid long enough."""
    left_s = not_after_s - now_s
    if left_s >= min_validity_s:
        return None
    if left_s <= 0:
        return ProbeResult(Code.L6RSP, f"certificate expired {_span(-left_s)} ago")
    return ProbeResult(Code.L6RSP, f"certificate expires in {_span(left_s)}")


def _span(seconds: float) -> str:
    for unit_s, name in (_DAY_S, "day"), (_HOUR_S, "hour"):
        if seconds >= unit_s:
            count = int(seconds // unit_s)
            return f"{count} {name}{'s' * (count > 1)}"
    return "less than an hour"
