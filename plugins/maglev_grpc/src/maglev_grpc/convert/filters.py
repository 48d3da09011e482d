"""Converts filters of events to requests and back."""

from __future__ import annotations

from typing import cast

import attrs

from maglev import api
from maglev_grpc.convert.messages import from_message, to_message
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb

_LEVELS = ("debug", "info", "warning", "error", "critical")


def watch_request(
    wanted: api.EventFilter, initial: pb.InitialState = pb.INITIAL_STATE_UNSPECIFIED
) -> pb.WatchEventsRequest:
    """The request that asks for events."""
    request = cast("pb.WatchEventsRequest", to_message(wanted))
    request.initial_state = initial
    return request


def filter_of(request: pb.WatchEventsRequest) -> api.EventFilter:
    """What a request for events asks for.

    Raises:
        ValueError: A kind or a level that does not exist.
    """
    wanted = from_message(api.EventFilter, request)
    level = wanted.log_level.lower() or "info"
    if level not in _LEVELS:
        raise ValueError(f"log_level: {level[:20]!r} is none of {', '.join(_LEVELS)}")
    return attrs.evolve(wanted, kinds=wanted.kinds or api.EventFilter().kinds, log_level=level)
