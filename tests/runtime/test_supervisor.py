"""Exporters run guarded: whatever one does, the daemon and the other exporters go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import anyio
import pytest

from maglev.api import Control, Exporter
from maglev.runtime import supervisor as module
from maglev.runtime.supervisor import Supervisor
from maglev.runtime.troubles import Troubles

CONTROL = cast("Control", object())


class Steady(Exporter):
    """Serves until it is cancelled, and notes what it is given."""

    name = "steady"

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.seen: list[Any] = []

    async def serve(self, control: Control, ready: Callable[[], None]) -> None:
        self.seen.append(control)
        ready()
        await anyio.sleep_forever()

    async def reload(self, options: Any) -> Sequence[str]:
        self.seen.append(options)
        return ("it took them",)


class Partly(Steady):
    """Serves but for a part, which its options say how to have; then fails if they say so."""

    name = "partly"

    async def serve(self, control: Control, ready: Callable[[], None]) -> None:
        self.trouble("/run/there", "no such directory")
        ready()
        await self.options["mend"].wait()
        if self.options["fails"]:
            raise RuntimeError("all of it")
        self.trouble("/run/there", None)
        await anyio.sleep_forever()


class Off(Steady):
    """Has nothing to serve."""

    name = "off"

    @property
    def enabled(self) -> bool:
        return False


class Crashing(Steady):
    """Fails in the way its options say, each time it is started but the last."""

    name = "crashing"

    def __init__(self, options: list[BaseException | None]) -> None:
        super().__init__(options)

    async def serve(self, control: Control, ready: Callable[[], None]) -> None:
        failure = self.options.pop(0) if self.options else None
        if failure is not None:
            raise failure
        await super().serve(control, ready)


class Stubborn(Steady):
    """Refuses new options."""

    name = "stubborn"

    async def reload(self, options: Any) -> Sequence[str]:
        raise ValueError("not these")


class Unmakeable(Steady):
    """Cannot be made."""

    name = "unmakeable"

    def __init__(self, options: Any = None) -> None:
        raise RuntimeError("no")


def identity(exporter: Exporter) -> Exporter:
    return exporter


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """No waiting between attempts: what would have been waited is noted."""
    seen: list[float] = []

    async def sleep(delay_s: float) -> None:
        seen.append(delay_s)
        await anyio.lowlevel.checkpoint()

    monkeypatch.setattr(anyio, "sleep", sleep)
    return seen


async def test_an_exporter_sees_the_control_and_is_cancelled_at_the_end() -> None:
    exporter = Steady()
    async with anyio.create_task_group() as group:
        supervisor = Supervisor(CONTROL)
        supervisor.start(group, "steady", lambda: exporter)
        assert await supervisor.ready(5) == ()
        assert exporter.seen == [CONTROL]
        assert supervisor.names == ("steady",)
        group.cancel_scope.cancel()


async def test_one_that_has_nothing_to_serve_is_left_out() -> None:
    async with anyio.create_task_group() as group:
        supervisor = Supervisor(CONTROL)
        supervisor.start(group, "off", Off)
        assert supervisor.names == ()
        assert await supervisor.ready(5) == ()


@pytest.mark.parametrize(
    "failure",
    [
        RuntimeError("broken"),
        SystemExit(1),
        asyncio.CancelledError("of its own making"),
        ExceptionGroup("several", [ValueError("one")]),
    ],
    ids=lambda failure: type(failure).__name__,
)
async def test_one_that_crashes_is_started_again(
    failure: BaseException, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[BaseException | None] = [failure]
    other = Steady()
    async with anyio.create_task_group() as group:
        supervisor = Supervisor(CONTROL)
        supervisor.start(group, "other", lambda: other)
        supervisor.start(group, "crashing", lambda: Crashing(failures))
        assert await supervisor.ready(5) == ()
        group.cancel_scope.cancel()
    assert slept == [module.FIRST_DELAY_S]
    assert other.seen == [CONTROL]
    assert [record.getMessage() for record in caplog.records] == ["exporter-crashed"]
    assert caplog.records[0].exc_info is not None


async def test_one_that_keeps_crashing_is_tried_less_and_less_often(slept: list[float]) -> None:
    failures: list[BaseException | None] = [RuntimeError("broken") for _ in range(7)]
    async with anyio.create_task_group() as group:
        supervisor = Supervisor(CONTROL)
        supervisor.start(group, "crashing", lambda: Crashing(failures))
        assert await supervisor.ready(5) == ()
        group.cancel_scope.cancel()
    assert slept == [1, 2, 4, 8, 16, 30, 30]


async def test_one_that_served_long_starts_over_with_the_shortest_delay(slept: list[float]) -> None:
    failures: list[BaseException | None] = [RuntimeError("broken") for _ in range(4)]
    times = iter([0.0, 1.0, 10.0, 11.0, 20.0, 20.0 + module.STEADY_S + 1, 200.0, 201.0])
    async with anyio.create_task_group() as group:
        supervisor = Supervisor(CONTROL, lambda: next(times, 300.0))
        supervisor.start(group, "crashing", lambda: Crashing(failures))
        assert await supervisor.ready(5) == ()
        group.cancel_scope.cancel()
    assert slept == [1, 2, 1, 2]


async def test_one_that_ends_by_itself_is_started_again(slept: list[float]) -> None:
    class Brief(Steady):
        lives = 0

        async def serve(self, control: Control, ready: Callable[[], None]) -> None:
            Brief.lives += 1
            if Brief.lives > 1:
                await super().serve(control, ready)

    async with anyio.create_task_group() as group:
        supervisor = Supervisor(CONTROL)
        supervisor.start(group, "brief", Brief)
        assert await supervisor.ready(5) == ()
        group.cancel_scope.cancel()
    assert slept == [1]


async def test_one_that_cannot_be_made_is_tried_again_and_hurts_nobody(slept: list[float]) -> None:
    attempts: list[type[Exporter]] = [Unmakeable, Unmakeable, Steady]
    async with anyio.create_task_group() as group:
        supervisor = Supervisor(CONTROL)
        supervisor.start(group, "late", lambda: attempts.pop(0)(None))
        assert await supervisor.ready(5) == ()
        group.cancel_scope.cancel()
    assert slept == [1]


async def test_those_that_are_not_ready_in_time_are_named() -> None:
    class Slow(Steady):
        async def serve(self, control: Control, ready: Callable[[], None]) -> None:
            await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        supervisor = Supervisor(CONTROL)
        supervisor.start(group, "slow", Slow)
        supervisor.start(group, "steady", Steady)
        await anyio.wait_all_tasks_blocked()
        assert await supervisor.ready(0) == ("slow",)
        group.cancel_scope.cancel()


async def test_one_that_is_down_is_told_until_it_serves_again(slept: list[float]) -> None:
    troubles = Troubles()
    seen: list[tuple[str, str, str]] = []
    failures: list[BaseException | None] = [RuntimeError("address in use")]

    class Looking(Crashing):
        async def serve(self, control: Control, ready: Callable[[], None]) -> None:
            seen.extend((one.kind, one.name, one.message) for one in troubles.now)
            await super().serve(control, ready)

    async with anyio.create_task_group() as group:
        supervisor = Supervisor(CONTROL, troubles=troubles)
        supervisor.start(group, "web", lambda: Looking(failures))
        assert await supervisor.ready(5) == ()
        assert troubles.now == ()
        group.cancel_scope.cancel()
    assert seen == [("exporter", "web", "down, and tried again: address in use")]


async def test_one_that_is_not_ready_or_refuses_its_options_is_told() -> None:
    class Slow(Stubborn):
        async def serve(self, control: Control, ready: Callable[[], None]) -> None:
            await anyio.sleep_forever()

    troubles = Troubles()
    async with anyio.create_task_group() as group:
        supervisor = Supervisor(CONTROL, troubles=troubles)
        supervisor.start(group, "slow", Slow)
        await anyio.wait_all_tasks_blocked()
        await supervisor.ready(0)
        await supervisor.reload({"slow": "new"})
        told = [(one.kind, one.name, one.message) for one in troubles.now]
        assert told == [("exporter", "slow", "not ready after 0 s"), ("exporter-options", "slow", "not these")]
        group.cancel_scope.cancel()


async def test_new_options_reach_those_they_are_for_and_one_refusal_stops_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stubborn, steady, untouched = Stubborn(), Steady(), Steady()
    async with anyio.create_task_group() as group:
        supervisor = Supervisor(CONTROL)
        for name, exporter in (("stubborn", stubborn), ("steady", steady), ("untouched", untouched)):
            supervisor.start(group, name, partial(identity, exporter))
        assert await supervisor.ready(5) == ()
        told = await supervisor.reload({"stubborn": "new", "steady": "new"})
        assert told.messages == ("exporter steady: it took them",)
        assert told.errors == ("exporter stubborn keeps its old options: not these",)
        group.cancel_scope.cancel()
    assert steady.seen == [CONTROL, "new"]
    assert untouched.seen == [CONTROL]
    assert [record.getMessage() for record in caplog.records] == ["exporter-reload-failed"]


@pytest.mark.parametrize("fails", [False, True])
async def test_a_part_of_an_exporter_that_does_not_work_is_told_until_it_does(fails: bool) -> None:
    troubles = Troubles()
    supervisor = Supervisor(CONTROL, troubles=troubles)
    mend = anyio.Event()
    async with anyio.create_task_group() as tasks:
        supervisor.start(tasks, "partly", lambda: Partly({"mend": mend, "fails": fails}))
        assert await supervisor.ready(10) == ()
        assert [(one.kind, one.name, one.message) for one in troubles.now] == [
            ("exporter", "partly /run/there", "no such directory")
        ]
        mend.set()
        async for _ in troubles.changes():
            if "no such directory" not in [one.message for one in troubles.now]:
                break
        assert [(one.name, one.message) for one in troubles.now] == (
            [("partly", "down, and tried again: all of it")] if fails else []
        )
        tasks.cancel_scope.cancel()
