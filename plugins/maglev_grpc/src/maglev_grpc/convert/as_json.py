"""Writes messages as JSON, by the names of the `.proto`.

Fields keep their names and are all there; one that is not set is `null`, but for the members of a `oneof`, which are
left out. Enumerations are the short names of their values, as `up` for `BACKEND_STATE_UP`; numbers of 64 bits are
numbers; a `Struct` is what it holds. protobuf's own `json_format` differs in these, and takes several times as long.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from maglev_grpc.convert.codecs import from_struct

Reader = Callable[[Any], Any]

_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def json_bytes(value: Any) -> bytes:
    """Write JSON on one line, in ASCII: nothing in it can end a line of an event stream or a script.

    JSON has no infinity and no "not a number": `null` stands for them.
    """
    try:
        return _ENCODER.encode(value).encode("ascii")
    except ValueError:
        return _ENCODER.encode(_finite(value)).encode("ascii")


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {name: _finite(item) for name, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
        case _:
            return value


def short_names(enum: EnumDescriptor) -> dict[int, str]:
    """The names that an enumeration's values have in JSON, by their numbers."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return {value.number: value.name.removeprefix(prefix).lower() for value in enum.values}


class JsonWriter:
    """Makes what JSON is written of.

    Args:
        without: Fields to leave out, as `Backend.probes`.
    """

    def __init__(self, without: Collection[str] = ()) -> None:
        self._without = frozenset(without)
        self._readers: dict[str, Reader] = {}

    def plain(self, message: Message) -> dict[str, Any]:
        """Make a message into plain values."""
        made: dict[str, Any] = self._reader(cast("Descriptor", message.DESCRIPTOR))(message)
        return made

    def text(self, message: Message) -> bytes:
        """Make a message into JSON, as `json_bytes` does."""
        return json_bytes(self.plain(message))

    def _reader(self, described: Descriptor) -> Reader:
        reader = self._readers.get(described.full_name)
        if reader is None:
            reader = self._readers[described.full_name] = self._make_reader(described)
        return reader

    def _make_reader(self, described: Descriptor) -> Reader:
        if described.full_name == "google.protobuf.Struct":
            return from_struct
        wanted = [field for field in described.fields if f"{described.name}.{field.name}" not in self._without]
        present = [field for field in wanted if not field.has_presence]
        scalars = [field.name for field in present if _is_scalar(field)]
        always = [(field.name, self._field_reader(field)) for field in present if not _is_scalar(field)]
        may_lack = [
            (field.name, self._field_reader(field), _is_alternative(field)) for field in wanted if field.has_presence
        ]

        def read(message: Any) -> dict[str, Any]:
            made = {name: getattr(message, name) for name in scalars}
            for name, reader in always:
                made[name] = reader(getattr(message, name))
            for name, reader, is_alternative in may_lack:
                if message.HasField(name):
                    made[name] = reader(getattr(message, name))
                elif not is_alternative:
                    made[name] = None
            return made

        return read

    def _field_reader(self, field: FieldDescriptor) -> Reader:
        item = self._item_reader(field)
        if not field.is_repeated:
            return item
        if field.message_type is None or not field.message_type.GetOptions().map_entry:
            return lambda items: [item(one) for one in items]
        value = self._item_reader(field.message_type.fields_by_name["value"])
        return lambda items: {str(key): value(one) for key, one in items.items()}

    def _item_reader(self, field: FieldDescriptor) -> Reader:
        if field.message_type is not None:
            return self._reader(field.message_type)  # none of our messages holds itself
        if field.enum_type is not None:
            names = short_names(field.enum_type)
            return lambda number: names.get(number, str(number))
        return _same


def _is_scalar(field: FieldDescriptor) -> bool:
    return not (field.is_repeated or field.message_type or field.enum_type)


def _is_alternative(field: FieldDescriptor) -> bool:
    """Whether it is a member of a `oneof` that stands in the `.proto`: one with `optional` has a `oneof` of its own."""
    return field.containing_oneof is not None and len(field.containing_oneof.fields) > 1


def _same(value: Any) -> Any:
    return value
