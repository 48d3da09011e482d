"""Traces of drained backends, from the first failed probe to the write."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from maglev.api import (
    Actor,
    BackendEvent,
    BackendState,
    Code,
    DisableBackend,
    Event,
    ProbeResult,
    SyncEvent,
    Transition,
    WeightEvent,
)
from maglev_prometheus.drains import GIVE_UP_S, Drain, Drains
from maglev_prometheus.tracing import record, trace
from plugins.maglev_prometheus.tests.controller_setup import Scripted, controlled, serving

REFUSED = ProbeResult(Code.L4CON, "refused")
PASSED = ProbeResult(Code.L7OK)
UP, DOWN, PAUSED = BackendState.UP, BackendState.DOWN, BackendState.PAUSED


class Story:
    """Tells a `Drains` what happens, on a clock of its own."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.drains = Drains(lambda: self.now_s)

    def probe(self, result: ProbeResult, backend: str = "a") -> None:
        self.drains.probed(backend, "http", result, 250_000_000)

    def moved(self, to: BackendState, *lowered: str, result: ProbeResult | None = REFUSED) -> tuple[Drain, ...]:
        told: list[Event] = [BackendEvent(self.now_s, "a", lowered, Transition(UP, to, self.now_s, result, "told"))]
        told += [WeightEvent(self.now_s, name, "primary", "a", 100, 0, 100, "down") for name in lowered]
        return self.drains.take(told)

    def synced(self, *frontends: str, took_s: float = 0.1, error: str = "") -> tuple[Drain, ...]:
        errors = (error,) if error else ()
        return self.drains.take([SyncEvent(self.now_s, "transition", frontends, {"set-weight": 1}, errors, took_s)])


def test_a_drain_lasts_from_the_first_failed_probe_to_the_write() -> None:
    story = Story()
    for result in (REFUSED, PASSED, REFUSED, REFUSED, REFUSED):
        story.now_s += 1
        story.probe(result)
    assert story.moved(DOWN, "web") == ()
    story.now_s += 0.5
    (drain,) = story.synced("web")
    assert (drain.backend, drain.frontends, drain.finished) == ("a", ("web",), True)
    assert drain.began_s == 1003.0 - 0.25
    assert drain.took_s == pytest.approx(2.75)
    assert story.synced("web") == ()


def test_a_drain_of_two_frontends_ends_with_the_second_write() -> None:
    story = Story()
    story.moved(DOWN, "web", "api")
    story.now_s += 1
    assert story.synced("web") == ()
    assert story.synced("other") == ()
    (drain,) = story.synced("api")
    assert [write.frontends for write in drain.writes] == [("web",), ("api",)]


def test_a_periodic_pass_is_for_all() -> None:
    story = Story()
    story.moved(DOWN, "web", "api")
    story.now_s += 1
    (drain,) = story.synced()
    assert drain.writes[0].frontends == ("web", "api")


def test_a_refused_write_ends_nothing() -> None:
    story = Story()
    story.moved(DOWN, "web")
    story.now_s += 1
    assert story.synced("web", error="refused") == ()
    story.now_s += 1
    (drain,) = story.synced("web")
    assert [write.errors for write in drain.writes] == [("refused",), ()]
    assert drain.finished


def test_a_write_that_began_before_the_transition_proves_nothing() -> None:
    story = Story()
    story.moved(DOWN, "web")
    story.now_s += 1
    assert story.synced("web", took_s=5.0) == ()


def test_who_stood_by_is_not_drained() -> None:
    story = Story()
    story.moved(DOWN)
    story.now_s += 1
    assert story.synced("web") == ()


def test_a_backend_that_recovers_first_was_not_drained() -> None:
    story = Story()
    story.moved(DOWN, "web")
    (drain,) = story.moved(UP)
    assert not drain.finished
    assert drain.why_not == "it became up"


def test_a_command_drains_from_the_moment_it_is_given() -> None:
    story = Story()
    story.probe(REFUSED)
    story.now_s += 60
    story.moved(PAUSED, "web", result=None)
    story.now_s += 1
    (drain,) = story.synced("web")
    assert drain.began_s == 1060.0


def test_a_drain_that_is_never_written_is_given_up() -> None:
    story = Story()
    story.moved(DOWN, "web")
    story.now_s += GIVE_UP_S + 1
    (drain,) = story.drains.take(())
    assert not drain.finished


class Recorder:
    """Keeps spans."""

    def __init__(self) -> None:
        self.kept = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.kept))
        self.tracer = provider.get_tracer("test")

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.kept.get_finished_spans()}


def test_the_spans_of_a_drain_hang_together() -> None:
    story, recorder = Story(), Recorder()
    story.probe(REFUSED)
    story.now_s += 2
    story.moved(DOWN, "web")
    story.now_s += 1
    (drain,) = story.synced("web")
    record(recorder.tracer, drain)
    whole, failing, write = (recorder.spans[name] for name in ("drain", "failing probes", "write"))
    assert whole.parent is None
    assert failing.parent == write.parent == whole.context
    assert whole.start_time == failing.start_time == round((1000 - 0.25) * 1e9)
    assert whole.end_time == write.end_time == round(1003 * 1e9)
    assert whole.attributes is not None
    assert whole.attributes["maglev.time_to_drain_seconds"] == pytest.approx(3.25)
    assert whole.attributes["maglev.cause"] == "L4CON: refused"


def test_what_went_wrong_is_in_the_status() -> None:
    story, recorder = Story(), Recorder()
    story.moved(DOWN, "web")
    story.now_s += 1
    story.synced("web", error="refused")
    (drain,) = story.moved(UP)
    record(recorder.tracer, drain)
    assert recorder.spans["write"].status.description == "refused"
    assert recorder.spans["drain"].status.description == "it became up"


@pytest.fixture(autouse=True)
def everybody_passes() -> Iterator[None]:
    Scripted.results.clear()
    yield
    Scripted.results.clear()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


async def test_a_real_drain_is_traced(recorder: Recorder) -> None:
    async with controlled() as control, anyio.create_task_group() as tasks:
        await tasks.start(trace, control, recorder.tracer)
        while control.backend("a").state is not UP:  # noqa: ASYNC110 - nobody tells
            await anyio.sleep(0.005)
        Scripted.results["a"] = REFUSED
        while "drain" not in recorder.spans:  # noqa: ASYNC110 - nobody tells
            await anyio.sleep(0.005)
        tasks.cancel_scope.cancel()
    whole = recorder.spans["drain"]
    assert whole.attributes is not None
    assert whole.attributes["maglev.backend"] == "a"
    assert whole.attributes["maglev.finished"]
    assert "failing probes" in recorder.spans


@pytest.fixture
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """A collector on loopback: its URL, and what it got."""
    got: list[ExportTraceServiceRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1/traces", got
    server.shutdown()
    server.server_close()
    thread.join()


async def test_traces_reach_a_collector(collector: tuple[str, list[ExportTraceServiceRequest]]) -> None:
    url, got = collector
    async with controlled() as control, serving(control, traces=url) as site:
        up = 'maglev_backend_state{backend="a",state="up"}'
        await site.until(lambda now: now[up] == "1.0", "a up")
        await control.command(DisableBackend("a"), Actor("test", "library"))
        await anyio.sleep(0.05)
    spans = [
        span for request in got for resource in request.resource_spans for s in resource.scope_spans for span in s.spans
    ]
    assert {span.name for span in spans} == {"drain", "write"}


def test_without_traces_nothing_of_opentelemetry_is_imported(pytester: pytest.Pytester) -> None:
    code = "import sys, maglev_prometheus.exporter; print(any(m.startswith('opentelemetry') for m in sys.modules))"
    ran = pytester.run(sys.executable, "-c", code)
    assert ran.outlines == ["False"]
