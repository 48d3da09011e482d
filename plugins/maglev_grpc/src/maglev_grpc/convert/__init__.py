"""Converts values of `maglev.api` to messages of `maglev.v1` and back without loss, and messages to JSON."""

from maglev_grpc.convert.as_json import JsonWriter, json_bytes, short_names
from maglev_grpc.convert.codecs import Missing
from maglev_grpc.convert.info import Info
from maglev_grpc.convert.messages import MESSAGES, from_message, plan_of, to_message
from maglev_grpc.convert.requests import (
    COMMANDS,
    Watched,
    call_of,
    change_of,
    command_of,
    event_message,
    filter_of,
    preview_request,
    read_event,
    request_of,
    watch_request,
)

__all__ = [
    "COMMANDS",
    "MESSAGES",
    "Info",
    "JsonWriter",
    "Missing",
    "Watched",
    "call_of",
    "change_of",
    "command_of",
    "event_message",
    "filter_of",
    "from_message",
    "json_bytes",
    "plan_of",
    "preview_request",
    "read_event",
    "request_of",
    "short_names",
    "to_message",
    "watch_request",
]
