"""Backends: what a probe result, a command or a reload makes of them, one call at a time and without any socket."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from maglev.api import (
    BackendState,
    Code,
    EventFilter,
    EventKind,
    ProbeEvent,
    ProbeResult,
)
from maglev.config import BackendConfig, HealthCheckerConfig
from maglev.config import check as check_config
from maglev.dataplanes.memory import MemoryDataplane
from maglev.domain.state import next_probe_ns
from maglev.domain.state.sync import dataplane_connected
from maglev.runtime import LiveControl, OverrideStore, Settings, StateError, open_controller
from maglev.runtime.checkers import Built, build_checkers
from maglev.runtime.controller import Controller
from tests.runtime.conftest import PLUGINS, Env, apply, check, config, next_event, states, until

PASS = ProbeResult(Code.L7OK, "200")
FAIL = ProbeResult(Code.L7STS, "503")


class Carrying(MemoryDataplane):
    """A dataplane that probes travel through."""

    carries_probes = True


def idle(**changes: object) -> LiveControl:
    """A controller that is not running: results are handed to it by the test."""
    whole = config(**changes)
    settings = Settings(whole, PLUGINS, Carrying())
    loaded, checkers = check_config(whole, PLUGINS), dict[str, Built]()
    build_checkers(PLUGINS.checkers, loaded.config.healthchecks, {}, checkers)
    control = Controller(settings, loaded, OverrideStore(None), checkers).control
    control.jobs.follow()
    return control


def result(controller: LiveControl, backend: str, verdict: ProbeResult, ended_ns: int = 0) -> int:
    job = controller.jobs.record(backend).job
    assert job is not None
    return controller.jobs.on_result(job, verdict, 0, ended_ns)


async def test_one_pass_makes_an_unknown_backend_up_and_two_failures_take_it_down() -> None:
    controller = idle()
    result(controller, "a", PASS)
    assert states(controller)["a"] is BackendState.UP
    result(controller, "a", FAIL)
    assert states(controller)["a"] is BackendState.UP
    result(controller, "a", FAIL)
    assert states(controller)["a"] is BackendState.DOWN
    last = controller.state.history["a"][-1]
    assert (last.from_state, last.to_state, last.result) == (BackendState.UP, BackendState.DOWN, FAIL)


async def test_the_interval_follows_the_counter() -> None:
    controller = idle(healthchecks={"alive": check(interval=2, fast_interval=0.5, down_interval=10)})
    lengths = [result(controller, "a", verdict) for verdict in (PASS, FAIL, FAIL, PASS, PASS)]
    assert lengths == [2_000_000_000, 500_000_000, 10_000_000_000, 500_000_000, 2_000_000_000]


async def test_the_history_keeps_only_the_newest_transitions() -> None:
    controller = idle(healthchecker=HealthCheckerConfig(transition_history=2))
    for verdict in (PASS, FAIL, FAIL, PASS, PASS, FAIL, FAIL):
        result(controller, "a", verdict)
    kept = [(t.from_state, t.to_state) for t in controller.state.history["a"]]
    assert kept == [(BackendState.DOWN, BackendState.UP), (BackendState.UP, BackendState.DOWN)]


async def test_failures_while_the_dataplane_that_carries_the_probes_is_lost_are_void() -> None:
    controller = idle(healthchecker=HealthCheckerConfig(netns="dataplane"))
    for verdict in (PASS, FAIL, FAIL, FAIL):
        result(controller, "a", verdict)
    assert states(controller)["a"] is BackendState.UP
    assert controller.jobs.record("a").void_code == Code.DPLOST


async def test_failures_just_after_that_dataplane_is_back_are_void_for_one_interval() -> None:
    controller = idle(healthchecker=HealthCheckerConfig(netns="dataplane"))
    result(controller, "a", PASS)
    controller.store.step(dataplane_connected, 1_000_000_000, restarted=False)
    interval = next_probe_ns(controller.state, "a")
    for _ in range(3):
        result(controller, "a", FAIL, ended_ns=1_000_000_000 + interval - 1)
    assert states(controller)["a"] is BackendState.UP
    for _ in range(2):
        result(controller, "a", FAIL, ended_ns=1_000_000_000 + interval)
    assert states(controller)["a"] is BackendState.DOWN


async def test_without_a_namespace_the_probes_do_not_depend_on_the_dataplane() -> None:
    controller = idle()
    for verdict in (PASS, FAIL, FAIL):
        result(controller, "a", verdict)
    assert states(controller)["a"] is BackendState.DOWN


async def test_a_changed_check_keeps_the_state_and_starts_the_counting_anew() -> None:
    controller = idle()
    for name, verdicts in (("a", (PASS, FAIL)), ("b", (FAIL, FAIL, PASS))):
        for verdict in verdicts:
            result(controller, name, verdict)
    await apply(controller, config(healthchecks={"alive": check(rise=5, fall=4)}))
    assert states(controller) == {"a": BackendState.UP, "b": BackendState.DOWN, "spare": BackendState.UNKNOWN}
    assert [controller.state.health[name].counter for name in ("a", "b", "spare")] == [8, 0, 8]


async def test_a_backend_that_loses_its_check_is_up_and_one_that_gets_one_keeps_its_state() -> None:
    static = {**config().backends, "a": BackendConfig("10.1.0.1")}
    controller = idle()
    for _ in range(2):
        result(controller, "a", FAIL)
    await apply(controller, config(backends=static))
    assert states(controller)["a"] is BackendState.UP
    await apply(controller, config())
    assert states(controller)["a"] is BackendState.UP


async def test_enabled_in_the_file_is_followed_by_a_reload() -> None:
    off = {**config().backends, "a": BackendConfig("10.1.0.1", "alive", enabled=False)}
    controller = idle()
    await apply(controller, config(backends=off))
    assert states(controller)["a"] is BackendState.DISABLED
    await apply(controller, config())
    assert states(controller)["a"] is BackendState.UNKNOWN


async def test_probe_events_come_only_to_those_who_ask(env: Env) -> None:
    async with env.open(config()) as controller:
        async with controller.subscribe(EventFilter(frozenset({EventKind.PROBE}), backends=frozenset({"a"}))) as asked:
            events = [await next_event(asked, ProbeEvent) for _ in range(4)]
        assert {event.backend for event in events} == {"a"}
        assert {str(event.phase) for event in events} == {"start", "done"}
        assert not controller.jobs.prober.report_starts


async def test_events_alone_come_from_now_on_and_end_with_the_context(env: Env) -> None:
    async with env.open(config()) as controller:
        async with controller.events(EventFilter(frozenset({EventKind.PROBE}))) as events:
            before = controller.bus.sequence
            deliveries = await events.batch()
            assert controller.jobs.prober.report_starts
        assert deliveries
        assert all(delivery.sequence > before for delivery in deliveries)
        assert all(isinstance(delivery.event, ProbeEvent) for delivery in deliveries)
        assert not controller.jobs.prober.report_starts


async def test_a_probe_observer_hears_of_every_probe(env: Env) -> None:
    heard: list[tuple[str, str, Code]] = []
    async with env.open(config()) as controller:
        async with controller.observe_probes(lambda name, kind, how, _ns: heard.append((name, kind, how.code))):
            await until(lambda: len(heard) > 10, "probes heard of")
        assert {kind for _name, kind, _code in heard} == {"scripted"}


@pytest.fixture
def unreadable(tmp_path: Path) -> Path:
    """A state file of no use."""
    path = tmp_path / "overrides.json"
    path.write_text("{not json")
    return path


async def test_an_unreadable_state_file_is_refused_and_left_as_it_is(unreadable: Path) -> None:
    settings = Settings(config(), PLUGINS, state_dir=unreadable.parent)
    with pytest.raises(StateError, match=r"overrides\.json"):
        async with open_controller(settings):
            pass
    assert await anyio.Path(unreadable).read_text() == "{not json"


async def test_a_failure_in_the_embedding_program_comes_out_as_it_is(env: Env) -> None:
    with pytest.raises(ZeroDivisionError):
        async with env.open(config()):
            raise ZeroDivisionError
