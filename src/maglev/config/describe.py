"""Says in words what stands somewhere and what should."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import attrs

from maglev.config.values import ALLOWED_DURATION

_LONGEST = 60
_LISTS = (list, Sequence, Iterable, set, frozenset, AbstractSet)
_WORDS: dict[Any, str] = {
    str: "a string",
    bytes: "a string",
    Path: "a path",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    timedelta: ALLOWED_DURATION,
    IPv4Address: "an IPv4 address",
    IPv6Address: "an IPv6 address",
    type(None): "nothing",
}


def describe_value(value: Any) -> str:
    """Say what stands there: `the string '10'`, `a list`."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"the number {_short(str(value))}"
    if isinstance(value, str):
        return f"the string {_short(repr(value))}"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else f"a {type(value).__name__}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def is_mapping(wanted: Any) -> bool:
    """Whether a type is one of mappings from names to values."""
    return (get_origin(wanted) or wanted) in (dict, Mapping)


def is_list(wanted: Any) -> bool:
    """Whether a type is one of lists in YAML: any sequence or set, and tuples of any length."""
    origin, arguments = get_origin(wanted) or wanted, get_args(wanted)
    return origin in _LISTS or (origin is tuple and (not arguments or arguments[1:] == (Ellipsis,)))


def describe_type(wanted: Any) -> str:
    """Say what should stand there: `a whole number`, `tcp, udp or any`."""
    if wanted in _WORDS:
        return _WORDS[wanted]
    origin = get_origin(wanted)
    if origin is Literal:
        return either(map(str, get_args(wanted)))
    if origin in (Union, types.UnionType):
        return _describe_union([member for member in get_args(wanted) if member is not type(None)])
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return either(str(member.value) for member in wanted)
    if attrs.has(origin or wanted) or is_mapping(wanted):
        return "a mapping"
    return "a list" if origin else str(wanted)


def _describe_union(members: list[Any]) -> str:
    if {IPv4Address, IPv6Address} <= set(members):
        members = [member for member in members if member not in (IPv4Address, IPv6Address)]
        return either(["an IP address", *map(describe_type, members)])
    return either(map(describe_type, members))


def either(words: Iterable[str]) -> str:
    """Join alternatives: `a`, `a or b`, `a, b or c`."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
