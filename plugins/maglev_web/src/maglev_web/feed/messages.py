"""Writes the daemons' messages for the page: as their own JSON, without the fields that the page does not show."""

from __future__ import annotations

from collections.abc import Iterable

from maglev_grpc.convert import JsonWriter, json_bytes

JSON = JsonWriter(
    without=(
        # Another one with every probe.
        "Backend.probes",
        "Backend.last_result_at_s",
        "ProbeResult.duration_ns",
        # Another one at each look.
        "Info.lag",
        "Info.watchers",
        # Large, or told otherwise.
        "Dataplane.state",
        "Dataplane.api_messages",
        # May tell what not everybody should know who sees the page.
        "HealthCheck.params",
    )
)


def json_object(items: Iterable[tuple[str, bytes]]) -> bytes:
    """Join values that are JSON already into an object."""
    return b"{" + b",".join(json_bytes(name) + b":" + text for name, text in items) + b"}"
