"""Message definitions: what VPP says of its own messages, cut down to those that we speak, as vpp_papi's serializers.

vpp_papi keeps all types in one table of the process, and the first definition of a name wins there: after a VPP was
upgraded in place, its new messages would be read with the old one's types. So each VPP's definitions are read into an
empty table of their own, and the process's table is then put back as it was.
"""

from __future__ import annotations

import json
import logging
import pkgutil
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, cast

import anyio.to_thread
from vpp_papi import vpp_serializer
from vpp_papi.vpp_papi import VPPApiJSONFiles

from maglev_vpp.messages import CLIENT

KINDS = ("enums", "enumflags", "unions", "types")
"""Where one file of definitions keeps its types, each a list that starts with the name; aliases are a mapping."""

Api = Mapping[str, Any]
"""One file of definitions, as VPP's compiler writes it in JSON."""


class Message(Protocol):
    """What vpp_papi makes of one definition."""

    def pack(self, data: Mapping[str, Any]) -> bytes:
        """Write the fields in the order of the definition; a field that is not given is zero."""
        ...

    def unpack(self, data: bytes, offset: int = 0, result: None = None, ntc: bool = False) -> tuple[Any, int]:  # noqa: FBT001, FBT002  (theirs)
        """Read the fields; `ntc` leaves addresses as the bytes that they are."""
        ...


Messages = Mapping[str, Message]

# At DEBUG it has a line for every address that is written or read.
logging.getLogger("vpp_papi.serializer").setLevel(logging.INFO)

_base_types = frozenset(vpp_serializer.types)
_registry = threading.Lock()


async def client_messages() -> Messages:
    """How clients come and go: the definitions that vpp_papi brings."""
    return await anyio.to_thread.run_sync(_client_messages)


async def messages_of(definitions: str, names: Collection[str]) -> Messages:
    """Read the definitions that VPP hands out.

    Args:
        definitions: JSON: a list of all files' definitions.
        names: The messages that are wanted. Those that are not defined are missing from the result.

    Raises:
        ValueError: It is not JSON, or no definitions of messages.
    """
    # A worker thread: some ten milliseconds of work, for a VPP with 850 messages.
    return await anyio.to_thread.run_sync(lambda: build(json.loads(definitions), names))


def _client_messages() -> Messages:
    data = pkgutil.get_data("vpp_papi", "data/memclnt.api.json")
    if data is None:
        raise ValueError("this vpp_papi lacks data/memclnt.api.json")
    return build([json.loads(data)], CLIENT)


def build(apis: Sequence[Api], names: Collection[str]) -> Messages:
    """Make serializers of some messages.

    Args:
        apis: Files of definitions.
        names: The messages that are wanted. Those that are not defined are missing from the result.

    Raises:
        ValueError: The definitions do not fit together.
    """
    text = json.dumps(select(apis, names))
    with _own_registry():
        # The text, not the object: reading definitions changes the object that they are read from.
        messages, _services = VPPApiJSONFiles().process_json_str(text)
    return cast("Messages", messages)


def select(apis: Sequence[Api], names: Collection[str]) -> dict[str, Any]:
    """Cut definitions down to some messages and the types that these are made of.

    Args:
        apis: Files of definitions. Where several define one type, they define the same.
        names: The messages that are wanted.

    Raises:
        ValueError: These are no definitions.
    """
    try:
        messages = {m[0]: m for api in apis for m in api.get("messages", ()) if m[0] in names}
        types = {f"vl_api_{t[0]}_t": (kind, t) for api in apis for kind in KINDS for t in api.get(kind, ())}
        aliases = {f"vl_api_{name}_t": (name, a) for api in apis for name, a in api.get("aliases", {}).items()}
        needed = _closure(list(messages.values()), types, aliases)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"these are no definitions of messages: {type(error).__name__}: {error}") from error
    selected: dict[str, Any] = {
        kind: [t for name, (k, t) in types.items() if k == kind and name in needed] for kind in KINDS
    }
    selected["aliases"] = {name: alias for key, (name, alias) in aliases.items() if key in needed}
    selected["messages"] = list(messages.values())
    return selected


def _closure(
    start: list[Sequence[Any]],
    types: Mapping[str, tuple[str, Sequence[Any]]],
    aliases: Mapping[str, tuple[str, Mapping[str, Any]]],
) -> set[str]:
    found: set[str] = set()
    todo = {name for definition in start for name in _field_types(definition)}
    while todo:
        name = todo.pop()
        found.add(name)
        if name in aliases:
            used = {aliases[name][1]["type"]}
        elif name in types and types[name][0] in ("unions", "types"):
            used = set(_field_types(types[name][1]))
        else:
            used = set()
        todo |= {other for other in used if other.startswith("vl_api_")} - found
    return found


def _field_types(definition: Sequence[Any]) -> Iterator[str]:
    for field in definition[1:]:
        if isinstance(field, list) and isinstance(field[0], str) and field[0].startswith("vl_api_"):
            yield field[0]


@contextmanager
def _own_registry() -> Iterator[None]:
    with _registry:
        tables: list[dict[str, Any]] = [vpp_serializer.types, vpp_serializer.class_types, vpp_serializer.message_cache]
        kept = [dict(table) for table in tables]
        try:
            for table in tables:
                _drop(table)
            yield
        finally:
            for table, entries in zip(tables, kept, strict=True):
                _drop(table)
                table.update(entries)


def _drop(table: dict[str, Any]) -> None:
    # The base types stay all the while: serializers look them up as they run.
    for name in [name for name in table if name not in _base_types]:
        del table[name]
