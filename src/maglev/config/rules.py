"""Validators of single values; each also says in words and in the JSON schema what it allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import attrs

from maglev.api import option_info
from maglev.config.values import format_duration, host_objection, routed_objection, zone_objection


@attrs.frozen
class Rule:
    """An attrs validator.

    Args:
        allowed: What is allowed, in words.
        objection: Says what is wrong with a value; empty if nothing is.
        json_schema: Keywords for the schema of the value (`{"minimum": 1}`).
    """

    allowed: str
    objection: Callable[[Any], str]
    json_schema: Mapping[str, Any] = attrs.field(factory=dict)

    def __call__(self, _instance: object, _attribute: attrs.Attribute[Any], value: Any) -> None:
        if wrong := self.objection(value):
            raise ValueError(wrong)


def between(low: int, high: int | None = None) -> Rule:
    """Allow whole numbers from `low` to `high`, both included; no upper end where `high` is `None`."""
    allowed = f"at least {low}" if high is None else f"{low} to {high}"

    def objection(value: Any) -> str:
        if not isinstance(value, int) or isinstance(value, bool):
            return ""  # a value of another form (`auto`, nothing) is not ours to judge
        inside = low <= value and (high is None or value <= high)
        return "" if inside else f"{value} is out of range: {allowed} is allowed"

    return Rule(allowed, objection, {"minimum": low} | ({} if high is None else {"maximum": high}))


def power_of_two(low: int, high: int) -> Rule:
    """Allow powers of two from `low` to `high`, both included."""
    powers = [1 << exponent for exponent in range(low.bit_length() - 1, high.bit_length())]
    allowed = f"a power of two from {low} to {high}"
    return Rule(
        allowed, lambda value: "" if value in powers else f"{value} is not allowed: {allowed} is", {"enum": powers}
    )


def lasting(low: timedelta, high: timedelta, *, whole: bool = False) -> Rule:
    """Allow durations from `low` to `high`, both included; with `whole` in full seconds; and `None`."""
    allowed = f"{format_duration(low)} to {format_duration(high)}"

    def objection(value: timedelta | None) -> str:
        if value is None:
            return ""
        if not low <= value <= high:
            return f"{format_duration(value)} is out of range: {allowed} is allowed"
        return f"{format_duration(value)} is not in whole seconds" if whole and value % timedelta(seconds=1) else ""

    return Rule(allowed, objection)


def on_a_link() -> Rule:
    """Allow addresses that packets are sent to or from: link-local ones need a zone. And `None`."""
    return Rule(
        "a link-local one with its interface",
        zone_objection,
        {"not": {"type": "string", "pattern": r"^[fF][eE][89abAB].:[^%]*$"}},
    )


def routed() -> Rule:
    """Allow addresses of hosts that packets are routed to, without a zone; and `None`."""

    def objection(value: Any) -> str:
        return "" if value is None else host_objection(value) or routed_objection(value)

    return Rule("", objection, {"not": {"type": "string", "pattern": "%"}})


def allowed_by(attribute: attrs.Attribute[Any]) -> str:
    """Return what a field allows beside its type, in words: what its option says, or else what its validator tells."""
    return option_info(attribute).allowed or str(getattr(attribute.validator, "allowed", ""))
