"""A scrape reports the state of a running controller."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

import anyio
import pytest

from maglev import listening
from maglev.api import (
    Actor,
    Code,
    DisableBackend,
    FailedPrecondition,
    Flow,
    IPProtocol,
    PauseBackend,
    ProbeResult,
    ReloadConfig,
    SetFrontendPoolBackendWeight,
    VipKey,
)
from maglev.config import BackendConfig, LbConfig
from maglev.dataplanes.memory import MemoryDataplane, MemoryStore
from maglev_prometheus.exporter import PrometheusExporter
from maglev_prometheus.options import PrometheusOptions
from plugins.maglev_prometheus.tests.controller_setup import (
    Scripted,
    ask,
    check,
    config,
    controlled,
    frontend,
    reload,
    serving,
    values,
)

ACTOR = Actor("test", "library")
A_IS_UP = 'maglev_backend_state{backend="a",state="up"}'
A_IS_DOWN = 'maglev_backend_state{backend="a",state="down"}'
A_PASSED = 'maglev_probe_total{backend="a",code="L7OK",result="pass",type="scripted"}'
A_WEIGHT = 'maglev_frontend_pool_backend_effective_weight{backend="a",frontend="web",pool="primary"}'


@pytest.fixture(autouse=True)
def everybody_passes() -> Iterator[None]:
    """Nothing is left of what another test told backends to answer."""
    Scripted.results.clear()
    yield
    Scripted.results.clear()


async def test_a_backend_that_fails_is_seen_to_go_down_and_to_lose_its_weight() -> None:
    async with controlled() as control, serving(control) as site:
        before = await site.until(lambda now: now.get(A_IS_UP) == "1.0" and now[A_WEIGHT] == "100.0", "a up")
        assert before[A_IS_DOWN] == "0.0"
        Scripted.results["a"] = ProbeResult(Code.L4CON, "told to fail")
        after = await site.until(lambda now: now[A_IS_DOWN] == "1.0", "a down")
        assert after[A_IS_UP] == "0.0"
        assert after[A_WEIGHT] == "0.0"
        assert after['maglev_backend_health{backend="a"}'] == "0.0"
        assert after['maglev_backend_transitions_total{backend="a",from="up",to="down"}'] == "1.0"
        assert after['maglev_frontend_state{frontend="api",state="down"}'] == "1.0"
        assert float(after['maglev_probe_total{backend="a",code="L4CON",result="fail",type="scripted"}']) >= 2


async def test_void_results_are_counted_but_their_durations_are_not() -> None:
    Scripted.results["a"] = ProbeResult(Code.NOFILE, "told to be void")
    void = 'maglev_probe_total{backend="a",code="NOFILE",result="void",type="scripted"}'
    async with controlled() as control, serving(control) as site:
        now = await site.until(lambda now: void in now, "a void result")
        assert now['maglev_probe_duration_seconds_count{backend="a",type="scripted"}'] == "0.0"


async def test_a_static_backend_is_up_and_has_no_health() -> None:
    async with controlled() as control, serving(control) as site:
        now = values(await site.metrics())
        assert now['maglev_backend_state{backend="static",state="up"}'] == "1.0"
        assert 'maglev_backend_health{backend="static"}' not in now


async def test_commands_are_seen() -> None:
    async with controlled() as control, serving(control) as site:
        await control.command(DisableBackend("a"), ACTOR)
        await control.command(PauseBackend("b"), ACTOR)
        await control.command(SetFrontendPoolBackendWeight("web", "fallback", "spare", 30), ACTOR)
        now = values(await site.metrics())
        assert now['maglev_backend_enabled{backend="a"}'] == "0.0"
        assert now['maglev_backend_enabled{backend="b"}'] == "1.0"
        assert now['maglev_backend_state{backend="b",state="paused"}'] == "1.0"
        assert now['maglev_frontend_pool_backend_weight{backend="spare",frontend="web",pool="fallback"}'] == "30.0"


async def test_what_a_reload_removed_is_gone_at_the_next_scrape() -> None:
    async with controlled() as control, serving(control) as site:
        await site.until(lambda now: now.get(A_IS_UP) == "1.0" and A_PASSED in now, "a up and probed")
        rest = {"b": BackendConfig("10.1.0.2", "alive")}
        await reload(control, config(backends=rest, frontends={"web": frontend("10.9.0.1", {"primary": {"b": 100}})}))
        text = await site.metrics()
        assert 'backend="a"' not in text
        assert 'frontend="api"' not in text
        assert 'backend="b"' in text


async def test_a_type_that_a_reload_changed_takes_its_series_along() -> None:
    async with controlled() as control, serving(control) as site:
        await site.until(lambda now: A_PASSED in now, "a probed")
        await reload(control, config(healthchecks={"alive": check(type="other")}))
        other = A_PASSED.replace("scripted", "other")
        await site.until(lambda now: other in now, "a probed the other way")
        assert 'type="scripted"' not in await site.metrics()


async def test_what_comes_back_between_two_scrapes_goes_on_counting() -> None:
    async with controlled() as control, serving(control) as site:
        before = await site.until(lambda now: float(now.get(A_PASSED, 0)) >= 5 and now[A_IS_UP] == "1.0", "some probes")
        await reload(control, config(healthchecks={"alive": check(type="other")}))
        await anyio.sleep(0.05)
        moved = {"a": BackendConfig("10.1.0.77", "alive")}
        await reload(control, config(backends={**config().backends, **moved}))
        after = await site.until(lambda now: now[A_IS_UP] == "1.0", "a up at its new address")
        for series, value in before.items():
            if "_total" in series or "_count" in series or "_bucket" in series:
                assert float(after[series]) >= float(value), series


async def test_an_exporter_that_crashed_goes_on_counting() -> None:
    async with controlled() as control:
        async with serving(control) as site:
            before = await site.until(lambda now: float(now.get(A_PASSED, 0)) >= 5, "some probes")
        async with serving(control) as site:
            after = values(await site.metrics())
        for series, value in before.items():
            if "maglev" in series and "_total" in series:
                assert float(after[series]) >= float(value), series


async def test_transitions_from_before_the_exporter_are_counted_once() -> None:
    series = 'maglev_backend_transitions_total{backend="a",from="unknown",to="up"}'
    async with controlled() as control:
        async with serving(control) as site:
            await site.until(lambda now: now.get(series) == "1.0", "a up")
        async with serving(control) as site:
            assert await site.value(series) == "1.0"
    async with controlled() as control:
        while control.backend("a").state != "up":  # noqa: ASYNC110 - no exporter that could tell
            await anyio.sleep(0.005)
        async with serving(control) as site:
            assert await site.value(series) == "1.0"


async def test_the_lost_dataplane_is_seen() -> None:
    store = MemoryStore()
    async with controlled(store=store) as control, serving(control) as site:
        now = await site.until(lambda now: now["maglev_vpp_connected"] == "1.0", "connected")
        assert "maglev_vpp_uptime_seconds" in now
        assert (await site.get("/readyz")).status == 200
        store.stop()
        now = await site.until(lambda now: now["maglev_vpp_connected"] == "0.0", "lost")
        assert "maglev_vpp_uptime_seconds" not in now
        assert not any(series.startswith(("maglev_vpp_info", "maglev_vpp_vip")) for series in now)
        answer = await site.get("/readyz")
        assert (answer.status, answer.body) == (503, "not ready: the dataplane memory is not connected\n")
        assert (await site.get("/healthz")).status == 200


async def test_the_warm_up_is_not_ready() -> None:
    store = MemoryStore()
    async with controlled(store=store) as control:
        while not store.vips:  # noqa: ASYNC110 - what is empty is filled at once, warm-up or not
            await anyio.sleep(0.005)
    slow = config(lb=LbConfig(startup_min_delay=60, startup_max_delay=60))
    async with controlled(slow, store) as control, serving(control) as site:
        await site.until(lambda now: now["maglev_vpp_connected"] == "1.0", "connected")
        answer = await site.get("/readyz")
        assert (answer.status, answer.body) == (503, "not ready: the warm-up is not over\n")


async def test_writes_from_before_the_exporter_are_counted() -> None:
    async with controlled() as control:
        while not control.status().dataplane.operations.get(("fill", "add-vip")):  # noqa: ASYNC110 - as above
            await anyio.sleep(0.005)
        async with serving(control) as site:
            now = values(await site.metrics())
    assert now['maglev_vpp_lbsync_total{kind="add-vip",scope="fill"}'] == "2.0"
    assert now['maglev_vpp_lbsync_total{kind="error",scope="periodic"}'] == "0.0"


async def test_packets_never_go_back_though_the_dataplane_restarts() -> None:
    store = MemoryStore()
    series = 'maglev_vpp_vip_packets_total{kind="first",port="80",prefix="10.9.0.1/32",protocol="tcp"}'
    vip = VipKey(IPv4Address("10.9.0.1"), IPProtocol.TCP, 80)
    async with controlled(store=store) as control, serving(control) as site:
        await site.until(lambda now: now[A_WEIGHT] == "100.0" and series in now, "a carries weight")
        dataplane = control.reconciler.dataplane
        assert isinstance(dataplane, MemoryDataplane)
        for port in range(5):
            await dataplane.send(vip, Flow(IPv4Address("198.51.100.1"), 1000 + port))
        assert await site.value(series) == "5.0"
        store.restart()
        await site.until(lambda now: series in now, "the VIP is back")
        assert await site.value(series) == "5.0"


async def test_reloads_are_counted_by_their_outcome() -> None:
    async with controlled() as control, serving(control) as site:
        loaded = "maglev_config_last_reload_success_timestamp_seconds"
        before = float(str(await site.value(loaded)))
        await control.command(ReloadConfig(), ACTOR)
        now = values(await site.metrics())
        assert now['maglev_config_reload_total{result="success"}'] == "1.0"
        assert now['maglev_config_reload_total{result="failure"}'] == "0.0"
        assert float(now[loaded]) >= before


async def test_a_refused_reload_is_counted() -> None:
    async with controlled() as control, serving(control) as site:
        await site.until(lambda now: A_IS_UP in now, "a first look")
        few = config(frontends={"other": frontend("10.9.9.9", {"primary": {"a": 1}})})
        control.configuration.read_from(few)
        with pytest.raises(FailedPrecondition, match="remove 2 of 2"):
            await control.command(ReloadConfig(), ACTOR)
        assert await site.value('maglev_config_reload_total{result="failure"}') == "1.0"


async def test_openmetrics_is_given_to_who_prefers_it() -> None:
    async with controlled() as control, serving(control) as site:
        answer = await site.get(accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
        assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert answer.body.endswith("# EOF\n")
        answer = await site.get()
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_one_histogram_for_each_type_is_enough_if_asked_for() -> None:
    count = 'maglev_probe_duration_seconds_count{type="scripted"}'
    async with controlled() as control, serving(control, probe_histogram="type") as site:
        now = await site.until(lambda now: float(now.get(count, 0)) > 5, "probes counted by type")
        assert not any("duration" in series and "backend" in series for series in now)


async def test_nothing_is_served_without_an_address() -> None:
    assert not PrometheusExporter(PrometheusOptions(addr="")).enabled


async def test_a_taken_port_is_named_in_one_line_and_tried_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "FIRST_RETRY_S", 0.01)
    async with controlled() as control, anyio.create_task_group() as tasks:
        ready = anyio.Event()
        async with serving(control) as site:
            taken = f"127.0.0.1:{site.port}"
            second = PrometheusExporter(PrometheusOptions(addr=taken))
            tasks.start_soon(second.serve, control, ready.set)
            with anyio.fail_after(20):
                while not second.troubles:  # noqa: ASYNC110 - a log line is no event
                    await anyio.sleep(0.01)
            assert not ready.is_set()
        with anyio.fail_after(20):
            await ready.wait()
        assert (await ask(site.port, "/healthz")).body == "alive\n"
        tasks.cancel_scope.cancel()
    told = [getattr(record, "maglev_fields", {}) for record in caplog.records if record.message == "cannot-listen"]
    assert [one["problem"] for one in told] == [f"cannot listen on {taken}: Address already in use"]
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("addr", [":0", "localhost:0"])
async def test_names_and_all_addresses_can_be_listened_on(addr: str) -> None:
    async with controlled() as control, serving(control, addr=addr) as site:
        assert (await ask(site.port, "/healthz")).body == "alive\n"
