"""The services that every gRPC server has: health for load balancers and orchestrators, reflection for people."""

from __future__ import annotations

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

_REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"
"""The same messages as v1alpha, under the name that newer clients try first."""


async def add_health(server: grpc.aio.Server, service: str) -> health.aio.HealthServicer:
    """Have a server report SERVING, for itself and a service, until `enter_graceful_shutdown` of what is returned."""
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    for name in ("", service):
        await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    return servicer


def add_reflection(server: grpc.aio.Server, service: str) -> None:
    """Have a server tell which services it has, and what their messages look like."""
    names = (service, health.SERVICE_NAME, reflection.SERVICE_NAME)
    servicer = reflection.aio.ReflectionServicer(names)
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    for name in (reflection.SERVICE_NAME, _REFLECTION_V1):
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": method}),))
