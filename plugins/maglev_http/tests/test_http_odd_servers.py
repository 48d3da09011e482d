"""Every server of `docs/reference/servers.md` gets from both engines what the page says.

It takes a little more than the timeout, since some servers are silent.
"""

from __future__ import annotations

import re

import anyio

from maglev_http.head import MAX_INTERIM
from tools.servers import ours, page
from tools.servers.catalogue import BEHAVIOURS
from tools.servers.stage import stage

TIMEOUT_S = 2.0
"""Long enough that a busy machine does not make a server late that answers after three quarters of it."""
TEXT = page.PAGE.read_text("utf-8")
ROWS = page.read(TEXT)


def test_both_engines_judge_every_server_as_the_page_says() -> None:
    with stage(TIMEOUT_S) as ports:
        results = anyio.run(ours.judge, BEHAVIOURS, ports, TIMEOUT_S)
    for behaviour, result in zip(BEHAVIOURS, results, strict=True):
        row = ROWS[behaviour.key]
        said = {engine: str(one) for engine, one in result.items()}
        assert [result["lean"].code, result["httpx"].code] == [row.lean, row.httpx], (behaviour.key, said)
        if behaviour.reads and behaviour.then != "reset":  # else chance decides which end it is
            details = [one.detail.partition(" (after")[0] for one in result.values()]  # on a busy machine
            assert details[0] == details[1], behaviour.key


def test_every_server_is_on_the_page_and_gets_the_verdict_that_is_wanted() -> None:
    assert list(ROWS) == [behaviour.key for behaviour in BEHAVIOURS]
    for behaviour in BEHAVIOURS:
        row = ROWS[behaviour.key]
        assert [code.endswith("OK") for code in (row.lean, row.httpx)] == [behaviour.up] * 2, behaviour.key


def test_each_disagreement_is_explained() -> None:
    assert [one.key for one in BEHAVIOURS if bool(one.why) is ROWS[one.key].agree] == []


def test_the_page_is_what_the_command_would_write() -> None:
    version = re.search(r"HAProxy (\S+) \(", TEXT)
    assert version is not None
    rows = [(behaviour, ROWS[behaviour.key]) for behaviour in BEHAVIOURS]
    assert page.text(rows, version[1], MAX_INTERIM) == TEXT, "run: make compare-haproxy"
