"""Messages as JSON: nothing is lost, whatever is in them, and it is what protobuf's own JSON says, but for spelling."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from maglev import api
from maglev_grpc.convert import MESSAGES, JsonWriter, event_message, json_bytes, to_message
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from plugins.maglev_grpc.tests.values import values

KINDS = sorted(MESSAGES, key=lambda kind: kind.__name__)


def as_protobuf_spells_it(message: Any, plain: dict[str, Any]) -> dict[str, Any]:
    """Our JSON of a message in protobuf's own spelling."""
    return {
        field.name: _spelled(field, getattr(message, field.name), plain[field.name])
        for field in message.DESCRIPTOR.fields
        if plain.get(field.name) is not None
    }


def _spelled(field: Any, item: Any, plain: Any) -> Any:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return plain
    if field.is_repeated:
        return [_spelled_one(field, one, said) for one, said in zip(item, plain, strict=True)]
    return _spelled_one(field, item, plain)


def _spelled_one(field: Any, item: Any, plain: Any) -> Any:
    if field.enum_type is not None:
        (number,) = {value.number for value in field.enum_type.values if value.name.lower().endswith(f"_{plain}")}
        return number
    if field.message_type is not None and field.message_type.file.name.startswith("maglev"):
        return as_protobuf_spells_it(item, plain)
    return plain


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__name__))
@given(data=st.data())
def test_any_message_can_be_made_again_of_its_json(kind: type[Any], data: st.DataObject) -> None:
    message: Message = to_message(data.draw(values(kind)))
    try:
        plain = json.loads(json.dumps(JsonWriter().plain(message), allow_nan=False))
    except ValueError:
        return  # infinity is no JSON
    assert json.loads(JsonWriter().text(message)) == plain
    assert set(plain) == {field.name for field in message.DESCRIPTOR.fields}
    again = json_format.ParseDict(as_protobuf_spells_it(message, plain), type(message)())
    assert again == message


def test_names_are_those_of_the_proto_and_values_are_short() -> None:
    plain = JsonWriter().plain(to_message(api.VipState(api.VipAttributes(api.Encap.GRE6, 1024), {})))
    attributes = {"encap": "gre6", "table_length": 1024, "sticky": False}
    assert plain == {"vip": None, "attributes": attributes, "servers": [], "index": None}


def test_of_alternatives_only_the_one_that_is_set_is_there() -> None:
    plain = JsonWriter().plain(event_message(7, api.LagEvent(1.0, 0.5, 3), lost=2))
    assert plain == {"sequence": 7, "lost": 2, "initial": False, "lag": {"at_s": 1.0, "lag_s": 0.5, "voided": 3}}


def test_what_is_not_wanted_is_left_out_wherever_it_stands() -> None:
    result = to_message(api.ProbeResult(api.Code.L4CON, "refused"))
    writer = JsonWriter(without=("ProbeResult.duration_ns", "ProbeResult.detail"))
    told = writer.plain(pb.ProbeEvent(backend="alpha", result=result))
    assert told["result"] == {"code": "L4CON", "ok": False, "layer": "L4", "verdict": "fail"}


def test_a_value_of_a_newer_daemon_is_its_number() -> None:
    assert JsonWriter().plain(pb.VipKey.FromString(b"\x10\x63"))["protocol"] == "99"


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")], ids=str)
def test_a_number_that_is_no_json_is_null(number: float) -> None:
    told = JsonWriter().text(event_message(1, api.LogEvent(number, "info", "x", {"inf": 1.5, "list": [1]})))
    assert json.loads(told)["log"] == {
        "at_s": None,
        "level": "info",
        "message": "x",
        "fields": {"inf": 1.5, "list": [1]},
    }
    assert json_bytes({"a": [(1, number)]}) == b'{"a":[[1,null]]}'
