"""Certificates of backends are noted, and checkers are rebuilt when a file changed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

import attrs
import pytest

from maglev.api import AsyncChecker, BackendState, Checker, Code, ProbeResult, Target, option
from maglev.config import Config, PluginSet
from maglev.dataplanes.memory import MemoryDataplane
from maglev.domain.expiry import DAY_S
from maglev.probing import Job
from maglev.runtime import LiveControl, Settings, open_controller
from tests.runtime.conftest import Env, apply, check, config, states, until

Caplog = pytest.LogCaptureFixture


@attrs.frozen
class FiledOptions:
    """One file."""

    file: str = option("", help="A file")


class Filed(AsyncChecker):
    """Passes, and is made of a file that a test replaces."""

    name: ClassVar[str] = "filed"
    needs_port: ClassVar[bool] = False
    Options: ClassVar[type[Any]] = FiledOptions
    contents: ClassVar[str] = ""
    built_in: ClassVar[list[threading.Thread]] = []
    expiry_warning_s: float = 14 * DAY_S

    def __init__(self, options: FiledOptions) -> None:
        super().__init__(options)
        self.read = self.contents
        self.closed = False
        self.built_in.append(threading.current_thread())
        if self.read == "damaged":
            raise ValueError("the file is damaged")

    def outdated(self) -> bool:
        if self.contents == "damaged":
            raise ValueError("the file is damaged")
        return self.read != self.contents

    async def probe(self, target: Target) -> ProbeResult:
        """Pass, and say what was read."""
        return ProbeResult(Code.L7OK, self.read)

    def close(self) -> None:
        self.closed = True


PLUGINS = PluginSet(checkers={"filed": Filed}, dataplanes={"memory": MemoryDataplane})


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Filed, "contents", "first")
    monkeypatch.setattr(Filed, "built_in", [])


def filed(**changes: Any) -> Config:
    return config(healthchecks={"alive": check(type="filed", **changes)})


def job(control: LiveControl, backend: str) -> Job:
    found = control.jobs.record(backend).job
    assert found is not None
    return found


def all_up(control: LiveControl) -> bool:
    return set(states(control).values()) == {BackendState.UP}


async def open_filed(env: Env, act: Callable[[LiveControl], Any]) -> None:
    settings = Settings(filed(), PLUGINS, MemoryDataplane(store=env.store))
    async with open_controller(settings) as control:
        await until(lambda: all_up(control), "all up")
        await act(control)


async def test_a_replaced_file_is_read_by_a_reload_that_changes_nothing_else(env: Env) -> None:
    async def act(control: LiveControl) -> None:
        old = job(control, "a").checker
        Filed.contents = "second"

        await apply(control, filed())

        await until(lambda: control.jobs.record("a").last_result.detail == "second", "read")  # type: ignore[union-attr]
        await until(lambda: getattr(old, "closed", False), "the old one is closed")
        assert all_up(control)

    await open_filed(env, act)


async def test_a_reload_without_any_change_keeps_its_checkers(env: Env) -> None:
    async def act(control: LiveControl) -> None:
        old: Checker = job(control, "a").checker

        await apply(control, filed())

        assert job(control, "a").checker is old

    await open_filed(env, act)


async def test_a_file_that_cannot_be_used_any_more_refuses_the_reload_and_nothing_changes(env: Env) -> None:
    async def act(control: LiveControl) -> None:
        old: Checker = job(control, "a").checker
        Filed.contents = "damaged"

        with pytest.raises(Exception, match="the file is damaged"):
            await apply(control, filed())

        assert job(control, "a").checker is old
        assert all_up(control)

    await open_filed(env, act)


async def test_no_checker_is_built_in_the_thread_of_the_event_loop(env: Env) -> None:
    async def act(control: LiveControl) -> None:
        Filed.contents = "second"
        await apply(control, filed())

    await open_filed(env, act)
    assert len(Filed.built_in) >= 2
    assert threading.current_thread() not in Filed.built_in


async def test_the_end_of_a_certificate_is_told_until_another_one_is_shown(env: Env) -> None:
    ends_s = 2_000_000_000.0

    async def act(control: LiveControl) -> None:
        assert control.snapshot().backends["a"].certificate_not_after_s is None
        control.jobs.on_certificate(job(control, "a"), ends_s)

        assert control.snapshot().backends["a"].certificate_not_after_s == ends_s
        told = {each.name: each.certificate_not_after_s for each in control.metrics().backends}
        assert told == {"a": ends_s, "b": None, "spare": None}

        control.jobs.on_certificate(job(control, "a"), ends_s + 1)
        assert {each.certificate_not_after_s for each in control.metrics().backends} == {ends_s + 1, None}
        control.jobs.on_certificate(job(control, "a"), None)
        assert {each.certificate_not_after_s for each in control.metrics().backends} == {None}

    await open_filed(env, act)


async def test_another_way_of_probing_forgets_the_certificate_and_another_file_does_not(env: Env) -> None:
    async def act(control: LiveControl) -> None:
        old = job(control, "a")
        control.jobs.on_certificate(old, 2e9)
        Filed.contents = "second"
        await apply(control, filed())
        assert job(control, "a") is not old
        assert control.jobs.record("a").certificate_not_after_s == 2e9

        await apply(control, filed(timeout=0.7))

        assert control.jobs.record("a").certificate_not_after_s is None
        control.jobs.on_certificate(old, 2e9)  # of a probe that has been swapped meanwhile
        assert control.jobs.record("a").certificate_not_after_s is None

    await open_filed(env, act)


async def test_a_certificate_that_ends_soon_is_warned_of_once(env: Env, caplog: Caplog) -> None:
    now_s = datetime.now(UTC).timestamp()

    async def act(control: LiveControl) -> None:
        control.jobs.on_certificate(job(control, "a"), now_s + 13.5 * DAY_S)
        control.jobs.on_certificate(job(control, "b"), now_s + 15 * DAY_S)
        control.jobs.warn_of_certificates()

    await open_filed(env, act)
    told = [getattr(record, "maglev_fields", {}) for record in caplog.records if record.name == "maglev.probes"]
    assert [(fields["backend"], fields["days"]) for fields in told if "not_after" in fields] == [("a", 13)]
