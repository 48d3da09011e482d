"""The services that every gRPC server has: health for load balancers and orchestrators, reflection for people."""

from __future__ import annotations

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

_REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"
"""The same messages as v1alpha, under the name that newer clients try first."""


class Health:
    """`grpc.health.v1.Health`, for the server as a whole and for the service.

    Args:
        server: Where to add it.
        service: The service's full name.
    """

    def __init__(self, server: grpc.aio.Server, service: str) -> None:
        self._service = service
        self._servicer = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    async def serving(self) -> None:
        """Report SERVING."""
        for name in ("", self._service):
            await self._servicer.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def not_serving(self) -> None:
        """Report NOT_SERVING."""
        await self._servicer.enter_graceful_shutdown()


def add_reflection(server: grpc.aio.Server, service: str) -> None:
    """Have a server tell which services it has, and what their messages look like.

    Args:
        server: Where to add it.
        service: The full name of the service beside health and reflection.
    """
    names = (service, health.SERVICE_NAME, reflection.SERVICE_NAME)
    servicer = reflection.aio.ReflectionServicer(names)
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    for name in (reflection.SERVICE_NAME, _REFLECTION_V1):
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": method}),))
