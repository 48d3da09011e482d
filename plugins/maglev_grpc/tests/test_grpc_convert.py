"""Values survive the way over the wire, and nothing that comes over it does harm."""

from __future__ import annotations

import contextlib
import typing
from typing import Any
from unittest.mock import patch

import attrs
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from maglev import api
from maglev_grpc.convert import (
    COMMANDS,
    MESSAGES,
    Missing,
    call_of,
    change_of,
    command_of,
    event_message,
    filter_of,
    from_message,
    preview_request,
    read_event,
    request_of,
    to_message,
    watch_request,
)
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from maglev_grpc.server import encode
from plugins.maglev_grpc.tests.values import values

KINDS = sorted(MESSAGES, key=lambda kind: kind.__name__)
EVENTS = typing.get_args(api.Event)


BESIDE: dict[type[Any], set[str]] = {
    api.ProbeResult: {"ok", "layer", "verdict"},  # follow from the code
    api.ServerState: {"address"},  # the keys of mappings
    api.VipState: {"vip"},
    api.EventFilter: {"initial_state"},  # a matter of the wire
    api.Trouble: {"kind"},  # a field of its own; elsewhere the message says the kind
}
"""What messages have beside the fields of their values."""


def by_name(kind: Any) -> str:
    return str(kind.__name__)


@pytest.mark.parametrize("kind", KINDS, ids=by_name)
@given(data=st.data())
def test_any_value_comes_back_as_it_was(kind: type[Any], data: st.DataObject) -> None:
    value = data.draw(values(kind))
    message = to_message(value)
    assert from_message(kind, type(message).FromString(message.SerializeToString())) == value


@pytest.mark.parametrize("kind", [api.BackendSnapshot, api.DataplaneSnapshot, api.Preview], ids=by_name)
@given(data=st.data())
def test_a_value_that_is_serialised_in_slices_is_the_same_message(kind: type[Any], data: st.DataObject) -> None:
    value = data.draw(values(kind))
    message = to_message(value)
    with patch.object(encode, "_SLICE_NS", 10**12), pytest.raises(StopIteration) as done:
        encode.serialised(value).send(None)  # nothing is waited for where no slice ends
    assert type(message).FromString(done.value.value) == message


@pytest.mark.parametrize("kind", KINDS, ids=by_name)
def test_a_value_and_its_message_have_the_same_fields(kind: type[Any]) -> None:
    fields = {field.name for field in attrs.fields(kind)} - {"kind"}
    beside = BESIDE.get(kind, set())
    assert set(MESSAGES[kind].DESCRIPTOR.fields_by_name) == fields | beside


@pytest.mark.parametrize("kind", KINDS, ids=by_name)
@given(raw=st.binary(max_size=64))
def test_any_bytes_make_a_value_or_a_value_error(kind: type[Any], raw: bytes) -> None:
    try:
        message = MESSAGES[kind].FromString(raw)
    except DecodeError:
        return
    with contextlib.suppress(ValueError):  # the one kind of error that callers turn into an answer
        from_message(kind, message)


@given(data=st.data(), sequence=st.integers(0, 2**63), lost=st.integers(0, 2**32), initial=st.booleans())
def test_an_event_comes_back_with_its_number(data: st.DataObject, sequence: int, lost: int, initial: bool) -> None:
    event = data.draw(st.one_of(*map(values, EVENTS)))
    message = event_message(sequence, event, lost=lost, initial=initial)
    watched = read_event(pb.Event.FromString(message.SerializeToString()))
    assert (watched.delivery, watched.initial) == (api.Delivery(sequence, event, lost), initial)


def test_an_event_of_no_known_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="event 7 is of no known kind"):
        read_event(pb.Event(sequence=7))


@given(data=st.data())
def test_a_command_and_its_preview_are_asked_for_by_the_same_request(data: st.DataObject) -> None:
    command = data.draw(st.one_of(*map(values, typing.get_args(api.Command))))
    assert COMMANDS[call_of(command)] is type(command)
    assert command_of(request_of(command)) == command
    assert change_of(preview_request(command)) == command


@given(
    wanted=st.builds(
        api.EventFilter,
        kinds=st.frozensets(st.sampled_from(api.EventKind), min_size=1),
        log_level=st.sampled_from(["debug", "info", "warning", "error", "critical"]),
        backends=st.frozensets(st.sampled_from(["a", "b"])),
        frontends=st.frozensets(st.sampled_from(["x", "y"])),
    )
)
def test_a_filter_comes_back_as_it_was(wanted: api.EventFilter) -> None:
    assert filter_of(watch_request(wanted)) == wanted


def test_an_empty_filter_is_the_default_one() -> None:
    assert filter_of(pb.WatchEventsRequest()) == api.EventFilter()


@pytest.mark.parametrize(
    "request_,complaint",
    [
        (pb.WatchEventsRequest(log_level="loud"), "log_level: 'loud' is not one of debug, info"),
        (pb.WatchEventsRequest(kinds=[pb.EVENT_KIND_UNSPECIFIED]), "0 is not in EventKind"),
    ],
    ids=["level", "kind"],
)
def test_a_filter_that_makes_no_sense_is_refused(request_: pb.WatchEventsRequest, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        filter_of(request_)


def test_a_weight_that_is_not_set_is_no_weight_of_zero() -> None:
    with pytest.raises(Missing, match="weight is not set"):
        command_of(pb.SetFrontendPoolBackendWeightRequest(frontend="web", pool="primary", backend="alpha"))


def test_what_follows_from_the_code_is_told_too() -> None:
    message = to_message(api.ProbeResult(api.Code.L4CON, "refused"))
    assert (message.ok, message.layer, message.verdict) == (False, "L4", "fail")


@pytest.mark.parametrize(
    "raw,told",
    [
        (float("nan"), "nan"),
        (2**60, str(2**60)),
        (b"x", "b'x'"),
        (("a", 1), ["a", 1]),
        ({"b", "a"}, ["a", "b"]),
        ("\udcff", "\\udcff"),
    ],
    ids=["nan", "large", "bytes", "tuple", "set", "surrogate"],
)
def test_whatever_a_log_record_holds_can_be_told(raw: Any, told: Any) -> None:
    event = api.LogEvent(1.0, "info", "x", {"field": raw})
    assert from_message(api.LogEvent, to_message(event)).fields == {"field": told}


def test_text_that_is_no_unicode_can_be_told() -> None:
    result = api.ProbeResult(api.Code.L7RSP, "bad name \udcff")
    assert from_message(api.ProbeResult, to_message(result)).detail == "bad name \\udcff"


def test_an_error_names_the_way_to_the_field() -> None:
    message = pb.VipCounters(vip=pb.VipKey(address="not an address", protocol=pb.IP_PROTOCOL_TCP))
    with pytest.raises(ValueError, match="vip: address: 'not an address' does not appear"):
        from_message(api.VipCounters, message)
