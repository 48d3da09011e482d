"""The reference page says what the options say."""

from __future__ import annotations

import os
from pathlib import Path

from maglev.config import PluginSet
from maglev.config.plugins import OFFICIAL
from maglev.config.reference import reference
from maglev.plugin import PluginManager
from tests.config.fakes import ALL

PAGE = Path(__file__).parents[2] / "docs/reference/configuration.md"


def official() -> PluginSet:
    """What is installed of the official plugins: others have pages of their own."""
    found = PluginSet.of(PluginManager(environ={}))
    return PluginSet(
        {name: cls for name, cls in found.checkers.items() if ("checker", name) in OFFICIAL},
        {name: cls for name, cls in found.dataplanes.items() if ("dataplane", name) in OFFICIAL},
        {name: cls for name, cls in found.exporters.items() if ("exporter", name) in OFFICIAL},
    )


def test_page_is_current() -> None:
    text = reference(official())
    if os.environ.get("MAGLEV_WRITE_DOCS"):
        PAGE.write_text(text, "utf-8")
    stale = "docs/reference/configuration.md is stale: run this test with MAGLEV_WRITE_DOCS=1"
    assert PAGE.read_text("utf-8") == text, stale


def test_every_option_is_listed_with_its_flag_and_default() -> None:
    text = reference(ALL)
    assert "| `transition-history` | whole number | `5` | Transitions kept per backend. Allowed: 1 to 10000. |" in text
    assert "`--grpc-addr`" in text
    assert "`MAGLEV_GRPC_ADDR`" in text
    assert "A change needs a restart." in text
    assert "| `type` | string | required |" in text
    assert "| `interval` | duration | `2s` |" in text


def test_every_core_option_has_help() -> None:
    assert "| . |" not in reference(PluginSet())
