"""Registers no exporter: the distribution brings a command. Lets `maglevd plugins` list it."""

from __future__ import annotations

from collections.abc import Iterable

from maglev.api import Exporter
from maglev.plugin import hookimpl


@hookimpl
def maglev_exporters() -> Iterable[type[Exporter]]:
    """None: the dashboard is a process of its own, so that no browser can slow a probe down."""
    return []
