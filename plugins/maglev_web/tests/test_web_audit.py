"""The audit record of commands from the page: who gave which, to which daemon, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from maglev import api
from maglev_grpc.client import PermissionDenied, Unavailable
from plugins.maglev_web.tests.serving import USER, serving

Records = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> Records:
    """The audit record so far."""
    caplog.set_level("INFO", "maglev.audit")
    return lambda: [getattr(record, "maglev_fields", {}) for record in caplog.records if record.name == "maglev.audit"]


async def test_a_command_is_recorded_with_who_why_and_outcome(records: Records) -> None:
    async with serving() as served:
        await served.order()
    (record,) = records()
    assert record.pop("server")
    assert record == {
        "command": "PauseBackend",
        "arg_backend": "alpha",
        "who": USER,
        "peer": "127.0.0.1",
        "via": "dashboard",
        "why": "password",
        "outcome": "changed",
        "changed": True,
        "errors": [],
    }


@pytest.mark.parametrize(
    "refusal, outcome",
    [
        (api.FailedPrecondition("not now"), "refused"),
        (PermissionDenied("read only"), "refused"),
        (Unavailable("it is away"), "broken-off"),
        (RuntimeError("a fault of ours"), "broken-off"),
    ],
)
async def test_a_command_that_was_not_carried_out_is_recorded_too(
    records: Records, refusal: Exception, outcome: str
) -> None:
    async with serving() as served:
        served.client.refusal = refusal
        await served.order()
    (record,) = records()
    assert (record["who"], record["outcome"]) == (USER, outcome)
    assert str(refusal) in record.get("refused", "") + record.get("broken_off", "")
