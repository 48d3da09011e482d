"""Plain standard records in a library, and events for those who watch logs."""

from __future__ import annotations

import logging

import pytest

from maglev.api import LogEvent
from maglev.runtime.logging import BusHandler, get_logger


def test_without_configuration_records_go_where_the_program_sends_them(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "maglev.test"):
        get_logger("maglev.test").info("weight", backend="a", weight=100)
    record = caplog.records[0]
    assert (record.name, record.levelname, record.getMessage()) == ("maglev.test", "INFO", "weight")


def test_the_bus_gets_records_only_while_somebody_listens() -> None:
    seen: list[LogEvent] = []
    listening = False
    handler = BusHandler(seen.append, lambda: listening)
    logger = logging.getLogger("maglev.test.bus")
    logger.setLevel("INFO")
    logger.addHandler(handler)
    log = get_logger("maglev.test.bus")
    try:
        log.info("unheard")
        listening = True
        log.warning("heard", backend="a")
    finally:
        logger.removeHandler(handler)
    (event,) = seen
    assert (event.level, event.message, event.fields) == ("warning", "heard", {"backend": "a"})
