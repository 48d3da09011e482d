"""Makes vpp_papi's serializers of VPP's own message definitions, cut down to the messages that we use.

vpp_papi keeps all types in tables of the process, and there the first definition of a name wins: after an upgrade of
VPP, new messages would be decoded with old types. So each VPP's definitions are read into empty tables, and the
process's own are then put back.
"""

from __future__ import annotations

import json
import logging
import pkgutil
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import anyio.to_thread
from vpp_papi import vpp_serializer
from vpp_papi.vpp_papi import VPPApiJSONFiles

from maglev_vpp.messages import CLIENT

KINDS = ("enums", "enumflags", "unions", "types")
"""The kinds of types in a file of definitions, each a list of lists that start with the name; aliases are a mapping."""
WITH_FIELDS = ("unions", "types")

Api = Mapping[str, Any]
"""One file of definitions, as VPP's compiler writes it in JSON."""


Messages = Mapping[str, Any]
"""vpp_papi's serializers, which have no types, by the message's name."""

# At DEBUG vpp_papi logs a line for every address that is encoded or decoded.
logging.getLogger("vpp_papi.serializer").setLevel(logging.INFO)

_base_types = frozenset(vpp_serializer.types)
_registry_lock = threading.Lock()


async def messages_of(definitions: str, names: Collection[str]) -> Messages:
    """Make serializers from the definitions that VPP sends.

    Args:
        definitions: JSON: a list of all files' definitions.
        names: The messages to include. Those that are not defined are missing from the result.

    Raises:
        ValueError: It is not JSON, or not message definitions.
    """
    # In a worker thread: some ten milliseconds of work, for a VPP with 850 messages.
    return await anyio.to_thread.run_sync(lambda: build(json.loads(definitions), names))


@cache
def client_messages() -> Messages:
    """Make serializers of the messages by which clients register: vpp_papi has their definitions. Blocks."""
    data = pkgutil.get_data("vpp_papi", "data/memclnt.api.json")
    if data is None:
        raise ValueError("this vpp_papi lacks data/memclnt.api.json")
    return build([json.loads(data)], CLIENT)


def build(apis: Sequence[Api], names: Collection[str]) -> Messages:
    """Make serializers of some messages from files of definitions; otherwise as `messages_of`."""
    text = json.dumps(select(apis, names))
    with _empty_registry():
        # Pass the text, not the object: vpp_papi changes the object that it reads.
        messages: Messages = VPPApiJSONFiles.process_json_str(text)[0]
    return messages


def select(apis: Sequence[Api], names: Collection[str]) -> dict[str, Any]:
    """Reduce files of definitions to some messages and the types that these use.

    Where several files define one type, they define the same.

    Raises:
        ValueError: These are not definitions.
    """
    try:
        messages = [m for api in apis for m in api.get("messages", ()) if m[0] in names]
        types = {f"vl_api_{t[0]}_t": (kind, t) for api in apis for kind in KINDS for t in api.get(kind, ())}
        aliases = {f"vl_api_{name}_t": (name, a) for api in apis for name, a in api.get("aliases", {}).items()}
        uses = {name: _field_types(t) for name, (kind, t) in types.items() if kind in WITH_FIELDS}
        uses |= {name: {alias["type"]} for name, (_, alias) in aliases.items()}
        needed = _closure({used for message in messages for used in _field_types(message)}, uses)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"these are not message definitions: {type(error).__name__}: {error}") from error
    return {
        **{kind: [t for name, (k, t) in types.items() if k == kind and name in needed] for kind in KINDS},
        "aliases": {name: alias for key, (name, alias) in aliases.items() if key in needed},
        "messages": list({message[0]: message for message in messages}.values()),
    }


def _closure(names: set[str], uses: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    while names:
        found |= names
        names = {used for name in names for used in uses.get(name, ())} - found
    return found


def _field_types(definition: Sequence[Any]) -> set[str]:
    fields = (field for field in definition[1:] if isinstance(field, list) and isinstance(field[0], str))
    return {field[0] for field in fields if field[0].startswith("vl_api_")}


@contextmanager
def _empty_registry() -> Iterator[None]:
    with _registry_lock:
        tables: list[dict[str, Any]] = [vpp_serializer.types, vpp_serializer.class_types, vpp_serializer.message_cache]
        kept = [dict(table) for table in tables]
        try:
            for table in tables:
                _clear(table)
            yield
        finally:
            for table, entries in zip(tables, kept, strict=True):
                _clear(table)
                table.update(entries)


def _clear(table: dict[str, Any]) -> None:
    # The base types stay: serializers look them up as they run.
    for name in table.keys() - _base_types:
        del table[name]
