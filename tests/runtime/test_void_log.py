from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from maglev.api import Code, ProbeResult
from maglev.runtime.void_log import NAMED, VoidLog
from tests.runtime.conftest import Env, config, until

LAG, NOFILE = ProbeResult(Code.LAG, "stalled"), ProbeResult(Code.NOFILE, "full")


class Clock:
    def __init__(self) -> None:
        self.now_s = 5.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    """What was logged so far, as fields."""

    def read() -> list[dict[str, Any]]:
        return [record.maglev_fields for record in caplog.records if record.getMessage() == "probe-void"]  # type: ignore[attr-defined]

    return read


def test_no_code_hides_another(clock: Clock, records: Callable[[], list[dict[str, Any]]]) -> None:
    voids = VoidLog(clock)
    voids.note("a", LAG)
    for number in range(8851):
        voids.note(f"b{number % 300}", NOFILE)
    assert [(each["result"], each["count"]) for each in records()] == [("LAG: stalled", 1), ("NOFILE: full", 1)]


def test_who_else_is_blind_is_told_a_second_later_and_loudly_where_descriptors_ran_out(
    clock: Clock, records: Callable[[], list[dict[str, Any]]], caplog: pytest.LogCaptureFixture
) -> None:
    voids = VoidLog(clock)
    for result in (LAG, NOFILE):
        for number in range(5):
            voids.note(f"b{number}", result)
    clock.now_s += 1
    voids.flush()
    voids.note("late", LAG)
    clock.now_s += 1
    voids.flush()
    assert [each["blind"] for each in records()] == [1, 1, 4, 4]
    levels = {(record.maglev_fields["result"], record.levelname) for record in caplog.records}  # type: ignore[attr-defined]
    assert levels == {("LAG: stalled", "WARNING"), ("NOFILE: full", "ERROR")}


def test_what_was_held_back_is_told_a_minute_later_with_who_is_blind(
    clock: Clock, records: Callable[[], list[dict[str, Any]]]
) -> None:
    voids = VoidLog(clock)
    for number in range(8851):
        voids.note(f"b{number % 300}", NOFILE)
    voids.flush()
    clock.now_s += 60
    voids.flush()  # nothing more was void
    voids.flush()
    first, second = records()
    assert (first["count"], first["blind"], first["backends"]) == (1, 1, ["b0"])
    assert (second["count"], second["blind"], len(second["backends"])) == (8850, 300, NAMED)


def test_each_code_has_a_minute_of_its_own(clock: Clock, records: Callable[[], list[dict[str, Any]]]) -> None:
    voids = VoidLog(clock)
    for wait_s, result in ((0, LAG), (30, NOFILE), (30, LAG), (0, NOFILE), (30, NOFILE), (30, NOFILE)):
        clock.now_s += wait_s
        voids.note("a", result)
    assert [(each["result"].partition(":")[0], each["count"]) for each in records()] == [
        ("LAG", 1), ("NOFILE", 1), ("LAG", 1), ("NOFILE", 1), ("NOFILE", 2),
    ]  # fmt: skip


async def test_void_probes_are_logged(env: Env, records: Callable[[], list[dict[str, Any]]]) -> None:
    env.void("a", "b")
    async with env.open(config()):
        await until(records, "a record")
    assert records()[0]["result"] == "NOFILE: told to be void"
