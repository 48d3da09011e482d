"""The fast writer writes the same text as prometheus_client, to the byte."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import choose_encoder
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.utils import floatToGoString

from maglev.api import (
    BackendMetrics,
    BackendState,
    Code,
    FrontendMetrics,
    FrontendState,
    MemberMetrics,
    ProbeResult,
    Transition,
    VipCounters,
)
from maglev_prometheus.catalogue import FAMILIES
from maglev_prometheus.probes import Probes
from maglev_prometheus.scrape import Meters, Scrapes
from maglev_prometheus.text import OPENMETRICS, TEXT, Format, negotiate, number, series
from plugins.maglev_prometheus.tests.model import FakeControl, Model, dataplane, status, vip, written

PRESENT = [state for state in BackendState if state is not BackendState.REMOVED]
names = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=8) | st.sampled_from(
    ['a"b', "a\\b", "a\nb", "a%db", "%s", "ä", "{x}"]
)
types = st.sampled_from(["http", "tcp", "we%ird"])
ends_s = st.none() | st.integers(0, 2**38).map(float)
durations_ns = st.integers(0, 20_000_000_000) | st.sampled_from([500_000, 1_000_000, 10_000_000_000, 10_000_000_001])


@st.composite
def worlds(draw: st.DrawFn) -> FakeControl:
    """Worlds of a few backends and frontends, with some backends that were probed and are gone."""
    known = draw(st.lists(names, unique=True, max_size=4))
    backends = [
        BackendMetrics(
            name, draw(types | st.none()), draw(st.sampled_from(PRESENT)), draw(st.integers(0, 9)), draw(ends_s)
        )
        for name in known
    ]
    anybody = st.sampled_from([*known, "gone"])
    weight = st.integers(0, 100)
    member = st.builds(MemberMetrics, names, anybody, weight, weight)
    frontends = [
        FrontendMetrics(name, vip(f"192.0.2.{at}"), draw(st.sampled_from(FrontendState)), tuple(draw(st.lists(member))))
        for at, name in enumerate(draw(st.lists(names, unique=True, max_size=3)))
    ]
    probe = st.tuples(anybody, types, st.sampled_from(Code), durations_ns)
    state = st.sampled_from(BackendState)
    count = st.integers(0, 2**63)
    return FakeControl(
        backends,
        frontends,
        draw(st.lists(probe, max_size=20)),
        draw(st.lists(st.tuples(anybody, st.builds(Transition, state, state, st.just(1.0))), max_size=10)),
        [
            VipCounters(frontend.vip, {"first": draw(count), "no_server": draw(count)}, draw(count), draw(count))
            for frontend in frontends
        ],
        status(dataplane=draw(st.sampled_from([dataplane(), dataplane(info=None)]))),
    )


async def ours(world: FakeControl, form: Format, *, each_backend: bool) -> str:
    """What a scrape of a world says, without what it says of this process."""
    meters = Meters(Probes(each_backend=each_backend))
    for backend, type_, code, ns in world.probes:
        meters.probes(backend, type_, ProbeResult(code), ns)
    for backend, transition in world.transitions:
        meters.transitions.count(backend, transition)
    text = b"".join(await Scrapes(world, meters).exposition(form)).decode()  # type: ignore[arg-type]  # enough of one
    before, process, _after = text.partition("# HELP process_")
    assert process
    return before + form.end


@pytest.mark.parametrize("form", [TEXT, OPENMETRICS], ids=["text", "openmetrics"])
@pytest.mark.parametrize("each_backend", [True, False], ids=["backend", "type"])
@given(world=worlds())
def test_the_text_is_what_prometheus_client_writes(world: FakeControl, each_backend: bool, form: Format) -> None:
    async def say() -> str:
        return await ours(world, form, each_backend=each_backend)

    model = Model(world, each_backend=each_backend)
    assert anyio.run(say) == written(model, openmetrics=form is OPENMETRICS)


@given(world=worlds())
def test_prometheus_client_reads_what_we_write(world: FakeControl) -> None:
    async def say() -> str:
        return await ours(world, TEXT, each_backend=True)

    families = {family.name: family for family in text_string_to_metric_families(anyio.run(say))}
    labels = {sample.labels["backend"] for sample in families["maglev_backend_state"].samples}
    assert labels == {backend.name for backend in world.backends}


async def test_every_family_of_the_catalogue_is_written_in_its_order() -> None:
    text = await ours(FakeControl(), TEXT, each_backend=True)
    headed = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert headed == [family.name for family in FAMILIES]


@given(st.integers(-5, 2**70) | st.floats() | st.booleans())
def test_numbers_are_written_as_go_does(value: float) -> None:
    assert number(value) == floatToGoString(value)  # type: ignore[no-untyped-call]  # it is not annotated


def test_labels_are_in_the_order_of_their_names() -> None:
    assert series("m", to="b", from_="a") == 'm{from="a",to="b"} '
    assert series("m") == "m "


OF_PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
OF_PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.parametrize(
    "accept, form",
    [
        (OF_PROMETHEUS_2, OPENMETRICS),
        (OF_PROMETHEUS_3, OPENMETRICS),
        ("", TEXT),
        ("*/*", TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", TEXT),
        ("text/plain;q=0.9,application/openmetrics-text;q=0.1", TEXT),
        ("application/openmetrics-text; version=1.0.0; q=0.1, text/plain; q=0", OPENMETRICS),
        ("application/openmetrics-text;version=2.0.0", TEXT),
        ("application/openmetrics-text;version=1.0.0;q=none", TEXT),
        ("application/vnd.google.protobuf;encoding=delimited;q=1,text/plain;version=0.0.4;q=0.3", TEXT),
        (';;=,q=,"', TEXT),
    ],
)
def test_the_client_gets_the_format_that_it_likes_best(accept: str, form: Format) -> None:
    assert negotiate(accept) is form


@pytest.mark.parametrize("accept", [OF_PROMETHEUS_2, OF_PROMETHEUS_3, "", "text/plain;version=0.0.4"])
def test_prometheus_client_would_choose_the_same(accept: str) -> None:
    assert choose_encoder(accept)[1].split(";")[:2] == negotiate(accept).content_type.split(";")[:2]
