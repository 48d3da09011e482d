"""Shortens log records of the daemons for the page; whatever is in them becomes text."""

from __future__ import annotations

import json
from typing import Any

from maglev.api import EventFilter, EventKind
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from maglev_web.feed.messages import JSON

KEPT = 500
"""Records that a page which is opened now can still show."""
KEEP_S = 600.0
WANTED = EventFilter(frozenset({EventKind.LOG}), log_level="info")
_LONGEST = 500
"""Characters of one value, which may be a traceback."""
_FIELDS = 20


def record(event: pb.Event) -> dict[str, Any]:
    """Make what the page shows of a log record: the beginnings of its first fields."""
    told = JSON.plain(event)
    log = told["log"]
    log["message"] = _short(log["message"])
    # They travelled without an order.
    log["fields"] = {_short(name): _short(log["fields"][name]) for name in sorted(log["fields"])[:_FIELDS]}
    return told


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
