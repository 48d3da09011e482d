"""Log records of the daemons, as the page gets them: short, and whatever is in them is only text."""

from __future__ import annotations

import json
from typing import Any

from maglev import api
from maglev_web.feed import wire

KEPT = 500
"""Records that a page which is opened now can still show."""
KEEP_S = 600.0
WANTED = api.EventFilter(frozenset({api.EventKind.LOG}), log_level="info")
_LONGEST = 500
"""Characters of one value, which may be a traceback."""
_FIELDS = 20


def record(value: api.LogEvent) -> dict[str, Any]:
    """One log record, with no more of it than fits a line that is read."""
    # They travelled without an order.
    fields = {_short(name): _short(value.fields[name]) for name in sorted(value.fields)[:_FIELDS]}
    return {
        "kind": value.kind.value,
        "at_s": value.at_s,
        "level": value.level,
        "message": _short(value.message),
        "fields": fields,
    }


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(wire.plain(value), ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
