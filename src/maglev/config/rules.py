"""Validators of single values; each also says in the JSON schema what it checks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Protocol, runtime_checkable

import attrs

from maglev.api import option_info
from maglev.config.values import format_duration


@runtime_checkable
class SchemaValidator(Protocol):
    """An attrs validator that can tell a JSON schema what it checks."""

    def json_schema(self) -> dict[str, Any]:
        """Return keywords for the schema of the value (`{"minimum": 1}`)."""
        ...


@attrs.frozen
class Between:
    """Whole numbers from `low` to `high`, both included; no upper end where `high` is `None`."""

    low: int
    high: int | None = None

    def __call__(self, _instance: object, _attribute: attrs.Attribute[Any], value: Any) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            return  # a value of another form (`auto`, nothing) is not ours to judge
        if value < self.low or (self.high is not None and value > self.high):
            raise ValueError(f"{value} is out of range: {self.allowed} is allowed")

    @property
    def allowed(self) -> str:
        """The range in words."""
        return f"at least {self.low}" if self.high is None else f"{self.low} to {self.high}"

    def json_schema(self) -> dict[str, Any]:
        """Return the bounds."""
        return {"minimum": self.low} | ({} if self.high is None else {"maximum": self.high})


@attrs.frozen
class PowerOfTwo:
    """Powers of two from `low` to `high`, both included."""

    low: int
    high: int

    def __call__(self, _instance: object, _attribute: attrs.Attribute[Any], value: int) -> None:
        if not self.low <= value <= self.high or value & (value - 1):
            raise ValueError(f"{value} is not allowed: {self.allowed} is")

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        return f"a power of two from {self.low} to {self.high}"

    def json_schema(self) -> dict[str, Any]:
        """Return all powers in the range."""
        exponents = range(self.low.bit_length() - 1, self.high.bit_length())
        return {"enum": [1 << exponent for exponent in exponents]}


@attrs.frozen
class Lasting:
    """Durations from `low` to `high`, both included; with `whole` in full seconds."""

    low: timedelta
    high: timedelta
    whole: bool = False

    def __call__(self, _instance: object, _attribute: attrs.Attribute[Any], value: timedelta | None) -> None:
        if value is None:
            return
        if not self.low <= value <= self.high:
            raise ValueError(f"{format_duration(value)} is out of range: {self.allowed} is allowed")
        if self.whole and value % timedelta(seconds=1):
            raise ValueError(f"{format_duration(value)} is not in whole seconds")

    @property
    def allowed(self) -> str:
        """The range in words."""
        return f"{format_duration(self.low)} to {format_duration(self.high)}"


def allowed_by(attribute: attrs.Attribute[Any]) -> str:
    """Return what a field allows beside its type, in words: what its option says, or else what its validator tells."""
    return option_info(attribute).allowed or str(getattr(attribute.validator, "allowed", ""))
