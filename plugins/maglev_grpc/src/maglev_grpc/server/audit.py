"""Writes the audit record of what never became a command: refused changes, unreadable requests, wrong tokens.

The controller records commands, in the same log.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message

from maglev.api import RateLimit
from maglev_grpc.convert import COMMANDS
from maglev_grpc.server.access import Caller

log = logging.getLogger("maglev.audit")

TOKENS_EVERY_S = 60.0
"""A dashboard with an old token asks many times a second: one record a host in this time tells as much."""
_LONGEST = 256


class Audit:
    """Writes the audit record.

    Args:
        clock_s: A monotonic clock in seconds.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._wrong_tokens = RateLimit(TOKENS_EVERY_S, clock_s=clock_s)

    def refused(self, call: str, caller: Caller, refusal: Exception, request: Message | None = None) -> None:
        """Record a changing call that was refused before it became a command."""
        fields = {} if request is None else {f"arg_{field.name}": _short(v) for field, v in request.ListFields()}
        _write({"command": COMMANDS[call].__name__, **fields}, caller, str(refusal))

    def wrong_token(self, call: str, caller: Caller) -> None:
        """Record a call with a wrong token, whatever was asked for; once a minute for one host."""
        if self._wrong_tokens.allow(caller.peer.rpartition(":")[0]):
            _write({"call": call}, caller, "the token is wrong")


def _write(what: Mapping[str, Any], caller: Caller, why: str) -> None:
    actor = caller.actor
    who = {"who": actor.name, "via": actor.via, "peer": actor.peer, "why": actor.why}
    log.info("audit", extra={"maglev_fields": {**what, **who, "outcome": "refused", "refused": why}})


def _short(value: Any) -> Any:
    return value[:_LONGEST] if isinstance(value, str) else value
