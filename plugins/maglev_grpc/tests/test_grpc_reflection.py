"""An independent client that knows nothing but reflection lists everything, calls everything, and asks for health."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
import grpc
import grpc.aio
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from plugins.maglev_grpc.tests.serving import Served, running

SERVICE = "maglev.v1.Maglev"
Request = reflection_pb2.ServerReflectionRequest


class Stranger:
    """Learns of services and messages by asking."""

    def __init__(self, channel: grpc.Channel, reflection: str) -> None:
        self._channel = channel
        self._ask = channel.stream_stream(
            f"/{reflection}/ServerReflectionInfo",
            request_serializer=Request.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        self._pool = descriptor_pool.DescriptorPool()

    def services(self) -> set[str]:
        (answer,) = self._ask(iter([Request(list_services="")]))
        return {service.name for service in answer.list_services_response.service}

    def learn(self, symbol: str) -> Any:
        self._add(Request(file_containing_symbol=symbol))
        return self._pool.FindServiceByName(symbol)

    def _add(self, request: Any) -> None:
        (answer,) = self._ask(iter([request]))
        for raw in answer.file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(raw)
            for needed in file.dependency:
                try:
                    self._pool.FindFileByName(needed)
                except KeyError:
                    self._add(Request(file_by_filename=needed))
            try:
                self._pool.FindFileByName(file.name)
            except KeyError:
                self._pool.Add(file)

    def call(self, method: Any, content: dict[str, Any]) -> dict[str, Any]:
        """Call a method with JSON and return the (first) answer as JSON."""
        request = json_format.ParseDict(content, message_factory.GetMessageClass(method.input_type)())
        make: Any = self._channel.unary_stream if method.server_streaming else self._channel.unary_unary
        call = make(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
        )
        answer = call(request, timeout=10)
        if method.server_streaming:
            first = next(answer)
            answer.cancel()
            answer = first
        told: dict[str, Any] = json_format.MessageToDict(answer)
        return told


@asynccontextmanager
async def channel_to(served: Served) -> AsyncIterator[grpc.Channel]:
    channel = grpc.insecure_channel(served.target)
    try:
        yield channel
    finally:
        await anyio.to_thread.run_sync(channel.close)


ARGUMENTS: dict[str, dict[str, Any]] = {
    "GetFrontend": {"name": "web"},
    "GetBackend": {"name": "alpha"},
    "PauseBackend": {"backend": "alpha"},
    "ResumeBackend": {"backend": "alpha"},
    "EnableBackend": {"backend": "alpha"},
    "DisableBackend": {"backend": "alpha"},
    "ResetBackend": {"backend": "alpha"},
    "SetFrontendPoolBackendWeight": {"frontend": "web", "pool": "primary", "backend": "beta", "weight": 50},
    "ResetFrontendPoolBackendWeight": {"frontend": "web", "pool": "primary", "backend": "beta"},
    "SyncDataplane": {"frontend": "web", "recreate": True},
    "TraceFlow": {"frontend": "web", "flow": {"source": "203.0.113.7", "sourcePort": 4000}},
    "PreviewChange": {"disableBackend": {"backend": "beta"}},
}


@pytest.mark.parametrize(
    "reflection", ["grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection"]
)
async def test_a_stranger_lists_the_services_and_calls_everything(reflection: str) -> None:
    async with running() as served, channel_to(served) as channel:
        stranger = Stranger(channel, reflection)
        assert {SERVICE, "grpc.health.v1.Health"} <= await anyio.to_thread.run_sync(stranger.services)
        service = await anyio.to_thread.run_sync(stranger.learn, SERVICE)
        assert len(service.methods) == 24
        for method in service.methods:
            if method.name == "GetHealthCheck":  # there is none
                continue
            await anyio.to_thread.run_sync(stranger.call, method, ARGUMENTS.get(method.name, {}))
        members = served.control.snapshot().frontends["web"].members
        assert [member.weight for member in members] == [100, 100, 100]


async def test_a_stranger_is_told_what_was_wrong() -> None:
    async with running() as served, channel_to(served) as channel:
        stranger = Stranger(channel, "grpc.reflection.v1alpha.ServerReflection")
        service = await anyio.to_thread.run_sync(stranger.learn, SERVICE)
        with pytest.raises(grpc.RpcError) as caught:
            await anyio.to_thread.run_sync(stranger.call, service.methods_by_name["PauseBackend"], {"backend": "alhpa"})
        error: Any = caught.value
        assert error.code() is grpc.StatusCode.NOT_FOUND
        assert error.details() == "no backend 'alhpa'; did you mean 'alpha'?"


async def test_reflection_can_be_switched_off() -> None:
    async with running(reflection=False) as served, channel_to(served) as channel:
        stranger = Stranger(channel, "grpc.reflection.v1alpha.ServerReflection")
        with pytest.raises(grpc.RpcError) as caught:
            await anyio.to_thread.run_sync(stranger.services)
        error: Any = caught.value
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("service", ["", SERVICE])
async def test_health_is_told_until_the_end(service: str) -> None:
    request = health_pb2.HealthCheckRequest(service=service)
    async with running() as served, grpc.aio.insecure_channel(served.target) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        assert (await stub.Check(request)).status == health_pb2.HealthCheckResponse.SERVING
        watching = stub.Watch(request)
        assert (await watching.read()).status == health_pb2.HealthCheckResponse.SERVING
        served.stop()
        assert (await watching.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watching.cancel()


async def test_the_health_of_a_stranger_is_not_known() -> None:
    async with running() as served, grpc.aio.insecure_channel(served.target) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Check(health_pb2.HealthCheckRequest(service="x"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
