"""The example of embedding: it watches its own servers to the end, and makes a right configuration of URLs."""

from __future__ import annotations

import logging
import runpy
import signal
from pathlib import Path
from typing import Any

import pytest

import maglev

SCRIPT = Path(__file__).parents[2] / "examples" / "embed.py"


@pytest.fixture(scope="module")
def embed() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def test_each_url_becomes_a_backend_with_a_check_of_its_own(embed: dict[str, Any]) -> None:
    urls = ["http://192.0.2.1/", "https://192.0.2.2/health", "http://[2001:db8::1]:8080/"]
    config = maglev.check(embed["configuration"](urls, 0.5), maglev.installed()).config
    assert [(check.type, check.port) for check in config.healthchecks.values()] == [
        ("http", 80),
        ("https", 443),
        ("http", 8080),
    ]
    assert [str(backend.address) for backend in config.backends.values()] == ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
    assert config.healthchecks[urls[1]].params.path == "/health"


def test_it_prints_each_change_of_its_own_servers(embed: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    before = (signal.getsignal(signal.SIGHUP), signal.getsignal(signal.SIGTERM), logging.getLogger().handlers[:])
    embed["main"](["--interval", "0.05"])
    lines = capsys.readouterr().out.splitlines()
    assert sum("unknown -> up  L7OK: status 200 OK" in line for line in lines) >= 1
    assert "up -> down  L4CON: Connection refused" in lines[-1]
    after = (signal.getsignal(signal.SIGHUP), signal.getsignal(signal.SIGTERM), logging.getLogger().handlers[:])
    assert after == before
