"""Registers what this distribution provides: the exporter `grpc`."""

from __future__ import annotations

from collections.abc import Iterable

from maglev.api import Exporter
from maglev.plugin import hookimpl
from maglev_grpc.server.exporter import GrpcExporter


@hookimpl
def maglev_exporters() -> Iterable[type[Exporter]]:
    """The exporter `grpc`."""
    return [GrpcExporter]
