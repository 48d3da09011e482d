"""The values of `maglev.api` as the page gets them: plain JSON, short names of what is shown and no more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import attrs

from maglev.api import (
    BackendSnapshot,
    DataplaneSnapshot,
    Event,
    FrontendSnapshot,
    HealthCheckSnapshot,
    MemberSnapshot,
    ProbeResult,
    Transition,
    VipKey,
)

HISTORY = 50
"""Transitions of a backend that the page gets, the newest."""


def encode(value: Any) -> bytes:
    """Write JSON on one line, in ASCII: nothing in it can end a line of an event stream or a script."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def plain(value: Any) -> Any:
    """Anything of `maglev.api` as JSON knows it."""
    match value:
        case None | bool() | int() | float():
            return value
        case Enum():
            return value.value
        case str():
            return value
        case VipKey() | IPv4Address() | IPv6Address():
            return str(value)
        case Mapping():
            return {str(plain(key)): plain(item) for key, item in value.items()}
        case tuple() | list() | set() | frozenset():
            return [plain(item) for item in value]
        case _ if attrs.has(type(value)):
            return {field.name: plain(getattr(value, field.name)) for field in attrs.fields(type(value))}
        case _:
            return str(value)


def result(value: ProbeResult | None) -> dict[str, Any] | None:
    """A probe's result without its duration, which is another one each time."""
    return None if value is None else {"code": value.code.value, "detail": value.detail, "ok": value.ok}


def transition(value: Transition) -> dict[str, Any]:
    """One change of a backend's state."""
    return {
        "from": value.from_state.value,
        "to": value.to_state.value,
        "at_s": value.at_s,
        "code": value.result.code.value if value.result else "",
        "why": value.result.detail if value.result else value.why,
    }


def backend(value: BackendSnapshot) -> dict[str, Any]:
    """One backend, but for what changes with every probe."""
    return {
        "name": value.name,
        "address": str(value.address),
        "check": value.healthcheck,
        "state": value.state.value,
        "counter": value.counter,
        "top": value.counter_top,
        "enabled": value.enabled,
        "overridden": value.overridden,
        "frontends": list(value.frontends),
        "history": [transition(one) for one in value.history[-HISTORY:]],
        "last": result(value.last_result),
        "stale_since_s": value.stale_since_s,
        "void": value.void_code,
    }


def member(value: MemberSnapshot) -> dict[str, Any]:
    """One backend's place in a pool."""
    return {
        "pool": value.pool,
        "backend": value.backend,
        "address": str(value.address),
        "state": value.state.value,
        "configured": value.configured_weight,
        "weight": value.weight,
        "overridden": value.overridden,
        "effective": value.effective_weight,
        "table": value.table_weight,
        "reason": value.reason,
        "dataplane": value.dataplane_weight,
        "buckets": value.buckets,
        "flows": value.flows,
    }


def frontend(value: FrontendSnapshot) -> dict[str, Any]:
    """One frontend with its members."""
    return {
        "name": value.name,
        "description": value.description,
        "vip": str(value.vip),
        "state": value.state.value,
        "pool": value.active_pool,
        "why": value.why,
        "pools": list(value.pools),
        "members": [member(one) for one in value.members],
        "length": value.table_length,
        "step": value.weight_step,
        "sticky": value.sticky,
        "flush": value.flush_on_down,
        "none_up": value.when_none_up,
        "holding": value.holding,
        "released": value.released,
        "in_sync": value.in_sync,
        "drift": list(value.drift),
    }


def healthcheck(value: HealthCheckSnapshot) -> dict[str, Any]:
    """What the page says of a health check; its parameters are nobody's business here."""
    return {
        "name": value.name,
        "type": value.type,
        "port": value.port,
        "interval_s": value.interval_s,
        "fast_s": value.fast_interval_s,
        "down_s": value.down_interval_s,
        "timeout_s": value.timeout_s,
        "rise": value.rise,
        "fall": value.fall,
    }


def dataplane(value: DataplaneSnapshot) -> dict[str, Any]:
    """The connection to the dataplane, without what it holds."""
    return {
        "name": value.name,
        "connected": value.connected,
        "observing": value.observing,
        "detail": value.detail,
        "info": plain(value.info),
        "vips": None if value.state is None else len(value.state.vips),
        "unmanaged": [str(vip) for vip in value.unmanaged],
        "drift": list(value.drift),
    }


def event(value: Event) -> dict[str, Any]:
    """Any event, with its kind."""
    fields = plain(value)
    return {"kind": value.kind.value, **{name: item for name, item in fields.items() if name != "kind"}}
