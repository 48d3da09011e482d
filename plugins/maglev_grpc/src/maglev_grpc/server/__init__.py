"""The exporter `grpc`."""

from maglev_grpc.server.exporter import GrpcExporter
from maglev_grpc.server.options import GrpcOptions

__all__ = ["GrpcExporter", "GrpcOptions"]
