"""Sends a trace of each drained backend to a collector, by OpenTelemetry. Imported only when that is wanted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import anyio
import anyio.abc
import anyio.to_thread
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, Status, StatusCode, Tracer, set_span_in_context

from maglev.api import Control, EventFilter, EventKind
from maglev_prometheus.drains import Drain, Drains

WANTED = EventFilter(kinds=frozenset({EventKind.BACKEND, EventKind.WEIGHT, EventKind.SYNC}))
BUFFER = 100_000
GOODBYE_S = 2.0
"""How long the last spans have to get out when the daemon ends."""

Attributes = Mapping[str, str | bool | float | tuple[str, ...]]


async def send_traces(
    control: Control, endpoint: str, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Send traces, in a thread of OpenTelemetry's, until the controller closes; nothing global is set.

    Args:
        control: The controller.
        endpoint: The URL of a collector that speaks OTLP over HTTP.
        task_status: Told once everything is listened to.
    """
    provider = TracerProvider(resource=Resource({SERVICE_NAME: "maglevd"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    try:
        await trace(control, provider.get_tracer("maglev"), task_status=task_status)
    finally:
        # A collector that does not answer would keep us.
        with anyio.CancelScope(shield=True), anyio.move_on_after(GOODBYE_S):
            await anyio.to_thread.run_sync(provider.shutdown, abandon_on_cancel=True)


async def trace(
    control: Control, tracer: Tracer, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Record a trace of each drain until the controller closes."""
    drains = Drains()
    async with control.observe_probes(drains.probed), control.events(WANTED, buffer=BUFFER) as events:
        task_status.started()
        while batch := await events.batch():
            for drain in drains.take(delivery.event for delivery in batch):
                record(tracer, drain)


def record(tracer: Tracer, drain: Drain) -> None:
    """Make the spans of one drain: the whole, the failing probes, and each write."""
    transition = drain.transition
    attributes: Attributes = {
        "maglev.backend": drain.backend,
        "maglev.frontends": drain.frontends,
        "maglev.from": transition.from_state.value,
        "maglev.to": transition.to_state.value,
        "maglev.cause": str(transition.result) if transition.result is not None else transition.why,
        "maglev.finished": drain.finished,
        "maglev.time_to_drain_seconds": drain.took_s,
    }
    with _span(tracer, "drain", drain.began_s, drain.ended_s, attributes) as whole:
        whole.add_event("transition", timestamp=_ns(transition.at_s))
        if not drain.finished:
            whole.set_status(Status(StatusCode.ERROR, drain.why_not))
        if drain.began_s < transition.at_s:
            with _span(tracer, "failing probes", drain.began_s, transition.at_s, {}, whole):
                pass
        for write in drain.writes:
            known: Attributes = {"maglev.scope": write.scope, "maglev.frontends": write.frontends}
            with _span(tracer, "write", write.began_s, write.ended_s, known, whole) as span:
                if write.errors:
                    span.set_status(Status(StatusCode.ERROR, "; ".join(write.errors)))


@contextlib.contextmanager
def _span(
    tracer: Tracer, name: str, began_s: float, ended_s: float, attributes: Attributes, parent: Span | None = None
) -> Iterator[Span]:
    context = set_span_in_context(parent) if parent is not None else Context()
    span = tracer.start_span(name, context, attributes=attributes, start_time=_ns(began_s))
    yield span
    span.end(_ns(ended_s))


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
