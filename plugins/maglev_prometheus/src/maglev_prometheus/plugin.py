"""Registers what this distribution provides: the exporter `prometheus`."""

from __future__ import annotations

from collections.abc import Iterable

from maglev.api import Exporter
from maglev.plugin import hookimpl
from maglev_prometheus.exporter import PrometheusExporter


@hookimpl
def maglev_exporters() -> Iterable[type[Exporter]]:
    """The exporter `prometheus`."""
    return [PrometheusExporter]
