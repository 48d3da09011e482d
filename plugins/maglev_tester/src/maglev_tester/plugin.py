"""Registers nothing: the distribution brings a command. Lets `maglevd plugins` list it with its version."""

from __future__ import annotations

from collections.abc import Iterable

from maglev.api import Exporter
from maglev.plugin import hookimpl


@hookimpl
def maglev_exporters() -> Iterable[type[Exporter]]:
    """No exporter: `maglevt` is a program of its own."""
    return ()
