"""A JSON schema (2020-12) of the configuration, for editors: the core's keys and those of the installed plugins.

What it accepts the loader reads; type errors for the loader are errors to it too. Rules between values (names
that do not exist, two frontends with one VIP) are beyond it.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import attrs

from maglev.api import Checker
from maglev.config.describe import is_mapping
from maglev.config.fields import Key, keys_of
from maglev.config.plugins import Installed
from maglev.config.rules import Rule, allowed_by
from maglev.config.schema import BackendConfig, FrontendConfig, HealthCheckConfig, HealthCheckerConfig, LbConfig
from maglev.config.values import DURATION_PATTERN, format_duration

Schema = dict[str, Any]
ANCHORS = "^x-"
"""Keys that only hold anchors for aliases elsewhere."""

_SIMPLE: dict[Any, Schema] = {
    Any: {},
    str: {"type": "string"},
    bytes: {"type": "string"},
    Path: {"type": "string", "minLength": 1},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    timedelta: {"anyOf": [{"type": "string", "pattern": DURATION_PATTERN}, {"type": "number", "minimum": 0}]},
    IPv4Address: {"type": "string", "format": "ipv4", "pattern": r"^[0-9]+(\.[0-9]+){3}$"},
    IPv6Address: {
        "type": "string",
        "anyOf": [
            {"format": "ipv6", "pattern": r"^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$"},
            {"pattern": r"^[fF][eE][89abAB][0-9A-Fa-f]:[0-9A-Fa-f:.]*%[^\s/%]{1,15}$"},
        ],
    },
}


def schema(plugins: Installed) -> Schema:
    """Assemble the schema of a whole file.

    Args:
        plugins: What is installed: other types of checks, dataplanes and exporters are errors.
    """
    maglev: Schema = {
        "type": ["object", "null"],
        "properties": {
            "healthchecker": object_schema(HealthCheckerConfig),
            "dataplane": {"enum": sorted(plugins.dataplanes), "description": "Which dataplane holds the VIPs"},
            "exporters": {
                "description": "Options of the installed exporters",
                "type": ["object", "null"],
                "properties": {name: object_schema(cls.Options) for name, cls in sorted(plugins.exporters.items())},
                "additionalProperties": False,
            },
            "healthchecks": _by_name(_healthcheck(plugins), "How backends are probed"),
            "backends": _by_name(object_schema(BackendConfig), "The servers"),
            "frontends": _by_name(_frontend(), "The VIPs, and who serves them"),
            **{name: _dataplane(cls.Options) for name, cls in sorted(plugins.dataplanes.items())},
        },
        "patternProperties": {ANCHORS: {}},
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "maglevd configuration",
        "type": "object",
        "properties": {"maglev": maglev},
        "required": ["maglev"],
        "patternProperties": {ANCHORS: {}},
        "additionalProperties": False,
    }


def object_schema(cls: type[Any]) -> Schema:
    """Return the schema of an options class."""
    keys = keys_of(cls)
    required = [key.name for key in keys if key.required]
    made: Schema = {
        "description": (inspect.getdoc(cls) or "").partition("\n\n")[0].replace("\n", " "),
        "type": "object" if required else ["object", "null"],
        "properties": {key.name: _key(key) for key in keys},
        "additionalProperties": False,
    }
    return made | ({"required": required} if required else {})


def _by_name(element: Schema, description: str) -> Schema:
    return {
        "description": description,
        "type": ["object", "null"],
        "propertyNames": {"pattern": r"^(?! )(?:\S| ){1,200}(?<! )$"},
        "additionalProperties": element,
    }


def _dataplane(options: type[Any]) -> Schema:
    made = object_schema(options)
    return made | {"properties": {"lb": object_schema(LbConfig), **made["properties"]}}


def _healthcheck(plugins: Installed) -> Schema:
    made = object_schema(HealthCheckConfig)
    made["properties"]["type"]["enum"] = sorted(plugins.checkers)
    made["properties"]["params"] = {"type": ["object", "null"], "description": "The checker's own options"}
    by_type = [_if_type(name, cls) for name, cls in sorted(plugins.checkers.items())]
    return made | ({"allOf": by_type} if by_type else {})


def _if_type(name: str, cls: type[Checker]) -> Schema:
    params = object_schema(cls.Options)
    required = (["params"] if "required" in params else []) + (["port"] if cls.needs_port else [])
    return {
        "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
        "then": {"properties": {"params": params}} | ({"required": required} if required else {}),
    }


def _frontend() -> Schema:
    made = object_schema(FrontendConfig)
    pools = made["properties"]["pools"]
    pools["minItems"] = 1
    pools["items"]["properties"]["backends"]["minProperties"] = 1
    return made


def _key(key: Key) -> Schema:
    made = dict(type_schema(key.type))
    made |= _checked(key.attribute.validator)
    allowed = allowed_by(key.attribute)
    made["description"] = f"{key.info.help} ({allowed})" if allowed else key.info.help
    if (default := plain(key.default)) is not None:
        made["default"] = default
    if key.info.examples:
        made["examples"] = [plain(example) for example in key.info.examples]
    return made | ({"writeOnly": True} if key.info.secret else {})


def _checked(validator: Any) -> Schema:
    """Return what a validator adds to the schema, if it can tell."""
    made: Schema = {}
    for part in getattr(validator, "_validators", (validator,)):  # attrs.validators.and_ keeps its parts there
        if isinstance(part, Rule):
            made |= part.json_schema
    return made


def type_schema(wanted: Any) -> Schema:
    """Return the schema of what may stand in YAML for a type."""
    if wanted in _SIMPLE:
        return _SIMPLE[wanted]
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [type_schema(member) for member in arguments]}
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return {"enum": [member.value for member in wanted]}
    if attrs.has(origin or wanted):
        return object_schema(origin or wanted)
    if is_mapping(wanted):
        return {"type": ["object", "null"], "additionalProperties": type_schema(arguments[1])}
    if origin is tuple and arguments[-1] is not Ellipsis:
        return {"type": "array", "prefixItems": [type_schema(part) for part in arguments], "items": False}
    return {"type": "array", "items": type_schema(arguments[0])} if origin and arguments else {}


def plain(value: Any) -> Any:
    """Write a default or example as YAML would have it; `None` where that cannot be done."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, IPv4Address | IPv6Address | Path):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return value if isinstance(value, str | int | float | bool) else None
