"""Hypothesis makes any value of `maglev.api` that travels, by its annotations."""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Mapping
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import attrs
from hypothesis import strategies as st

from maglev_grpc.convert import MESSAGES

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | _TEXT
    | st.floats(-1e6, 1e6).filter(lambda f: f % 1 != 0),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_BOUNDS = {"uint32": (0, 2**32 - 1), "uint64": (0, 2**64 - 1), "int64": (-(2**63), 2**63 - 1)}


def values(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Values of one class."""
    described = MESSAGES[kind].DESCRIPTOR.fields_by_name
    hints = typing.get_type_hints(kind)
    fields = {
        field.name: _of(hints[field.name], described[field.name])
        for field in attrs.fields(kind)
        if field.init and field.name in described
    }
    return st.builds(kind, **fields)


def _of(hint: Any, described: Any) -> st.SearchStrategy[Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return functools.reduce(lambda one, other: one | other, (_of(part, described) for part in arguments))
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(_of(arguments[0], described), max_size=3).map(tuple)
    if origin is frozenset:
        return st.frozensets(_of(arguments[0], described), max_size=3)
    if origin is not None and issubclass(origin, Mapping):
        key, value = arguments
        return _mapping(key, value, described)
    return _single(hint, described)


def _single(hint: Any, described: Any) -> st.SearchStrategy[Any]:
    if hint is type(None):
        return st.none()
    if hint is int:
        low, high = _BOUNDS[_KIND[described.type]]
        return st.integers(low, high)
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: _TEXT,
        bool: st.booleans(),
        float: st.floats(allow_nan=False),
        IPv4Address: st.ip_addresses(v=4),
        IPv6Address: st.ip_addresses(v=6) | st.just(IPv6Address("fe80::1%eth0")),
    }
    if hint in simple:
        return simple[hint]
    if issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    return values(hint)


def _mapping(key: Any, value: Any, described: Any) -> st.SearchStrategy[Any]:
    if value is Any:
        return st.dictionaries(_TEXT, _JSON, max_size=3)
    if value not in MESSAGES:
        field = described.message_type.fields_by_name["value"]
        return st.dictionaries(_of(key, None), _of(value, field), max_size=3)
    if described.message_type.fields[0].name == "name":
        return st.lists(values(value), max_size=2).map(lambda items: {item.name: item for item in items})
    return st.dictionaries(_of(key, None), values(value), max_size=2)


_KIND = {13: "uint32", 4: "uint64", 3: "int64"}
"""Numbers of descriptor.FieldDescriptor's types."""
