"""What a watcher wants, as the request that says so, and back."""

from __future__ import annotations

from maglev import api
from maglev_grpc.convert.codecs import enumeration
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb

_KIND = enumeration(api.EventKind)
_LEVELS = ("debug", "info", "warning", "error", "critical")


def watch_request(
    wanted: api.EventFilter, initial: pb.InitialState = pb.INITIAL_STATE_UNSPECIFIED
) -> pb.WatchEventsRequest:
    """The request that asks for events.

    Args:
        wanted: Which events.
        initial: How the present state is told.
    """
    return pb.WatchEventsRequest(
        kinds=sorted(_KIND.to_wire(kind) for kind in wanted.kinds),
        log_level=wanted.log_level,
        backends=sorted(wanted.backends),
        frontends=sorted(wanted.frontends),
        initial_state=initial,
    )


def filter_of(request: pb.WatchEventsRequest) -> api.EventFilter:
    """What a request for events asks for.

    Raises:
        ValueError: A kind or a level that does not exist.
    """
    level = request.log_level.lower() or "info"
    if level not in _LEVELS:
        raise ValueError(f"log_level: {request.log_level[:20]!r} is none of {', '.join(_LEVELS)}")
    kinds = frozenset(_KIND.from_wire(kind) for kind in request.kinds)
    return api.EventFilter(
        kinds=kinds or api.EventFilter().kinds,
        log_level=level,
        backends=frozenset(request.backends),
        frontends=frozenset(request.frontends),
    )
