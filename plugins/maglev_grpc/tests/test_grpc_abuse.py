"""Oversized, broken and malicious input: clear errors, nothing changed, nothing leaked."""

from __future__ import annotations

import contextlib
import gc
from typing import Any

import anyio
import anyio.to_thread
import grpc
import grpc.aio
import pytest
from google.protobuf import message_factory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maglev import listening
from maglev.api import BadArgument, Control, PauseBackend
from maglev_grpc.client import ResourceExhausted, ServerFault, connect
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from maglev_grpc.server import GrpcExporter, GrpcOptions
from maglev_grpc.server.calls import SERVICE
from plugins.maglev_grpc.tests.serving import Served, exported, running, until

METHODS = [method.name for method in SERVICE.methods]
READS = [
    name
    for name in METHODS
    if name.startswith(("Get", "List")) or name in ("TraceFlow", "PreviewChange", "CheckConfig", "WatchEvents")
]
SANE = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNAVAILABLE,
}


async def raw_call(served: Served, method: str, payload: bytes) -> grpc.StatusCode:
    """Send any bytes as a request, and tell the status."""
    async with grpc.aio.insecure_channel(served.target) as opened:
        channel: Any = opened
        path = f"/maglev.v1.Maglev/{method}"
        try:
            if SERVICE.methods_by_name[method].server_streaming:
                call = channel.unary_stream(path)(payload, timeout=20)
                await call.read()
                call.cancel()
            else:
                await channel.unary_unary(path)(payload, timeout=20)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK


async def test_an_oversized_request_is_refused_and_the_connection_lives_on() -> None:
    async with running() as served, served.client() as client:
        with pytest.raises(ResourceExhausted, match="larger than max"):
            await client.call("PauseBackend", pb.PauseBackendRequest(backend="x" * 2_000_000))
        assert (await client.command(PauseBackend("alpha"))).changed


async def test_bytes_that_are_no_request_are_an_invalid_argument() -> None:
    async with running() as served:
        for method in ("PauseBackend", "GetBackend", "WatchEvents", "PreviewChange"):
            assert await raw_call(served, method, b"\xff\xff\xff\xff") is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_method_that_does_not_exist_is_unimplemented() -> None:
    async with running() as served, grpc.aio.insecure_channel(served.target) as channel:
        method: Any = channel.unary_unary("/maglev.v1.Maglev/DropAllTables")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await method(b"")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("method", METHODS)
async def test_random_bytes_get_a_sane_answer_and_readers_change_nothing(method: str) -> None:
    @settings(max_examples=15)
    @given(payload=st.binary(max_size=40))
    async def check(payload: bytes) -> None:
        before = served.control.snapshot()
        assert await raw_call(served, method, payload) in SANE
        if method in READS:
            assert served.control.snapshot().backends == before.backends
            assert served.control.snapshot().frontends == before.frontends

    async with running() as served:
        await run_examples(check)
        assert served.control.bus.subscribers == ()


def requests(name: str) -> st.SearchStrategy[Any]:
    """Messages of a method's request, with fields of the right types and any content."""
    kind = message_factory.GetMessageClass(SERVICE.methods_by_name[name].input_type)
    text = st.sampled_from(["", "web", "alpha", "primary", "10.0.0.1", "::1", "x" * 300, "\x00", "ünïcödé"]) | st.text()
    return st.builds(_filled, st.just(kind), st.dictionaries(st.integers(0, 12), text | st.integers(0, 2**32 - 1)))


def _filled(kind: Any, content: dict[int, Any]) -> Any:
    message = kind()
    for field in message.DESCRIPTOR.fields:
        value = content.get(field.number)
        with contextlib.suppress(TypeError, ValueError, AttributeError):  # that value does not fit this field
            if value is not None and not field.is_repeated and field.message_type is None:
                setattr(message, field.name, value)
            elif value is not None and field.is_repeated:
                getattr(message, field.name).append(value)
            elif value is not None:
                getattr(message, field.name).CopyFrom(
                    _filled(message_factory.GetMessageClass(field.message_type), content)
                )
    return message


@pytest.mark.parametrize("method", METHODS)
async def test_well_formed_nonsense_gets_a_sane_answer(method: str) -> None:
    @settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
    @given(request=requests(method))
    async def check(request: Any) -> None:
        assert await raw_call(served, method, request.SerializeToString()) in SANE

    async with running() as served:
        await run_examples(check)
        weights = [
            member.weight for frontend in served.control.snapshot().frontends.values() for member in frontend.members
        ]
        assert all(0 <= weight <= 100 for weight in weights)


async def run_examples(check: Any) -> None:
    """Run a hypothesis test whose body is a coroutine, in the loop that its server runs in."""
    body = check.hypothesis.inner_test
    examples: list[dict[str, Any]] = []

    def collect(**example: Any) -> None:
        examples.append(example)

    check.hypothesis.inner_test = collect
    await anyio.to_thread.run_sync(check)
    for example in examples:
        await body(**example)


GARBAGE = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\x00" * 5000,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 5000,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    + b"\x00\x00\xff\x01\x25\x00\x00\x00\x01" * 9,
    b"",
]


async def test_garbage_on_the_port_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as served, served.client() as client:
        assert served.exporter.port
        for garbage in GARBAGE:
            async with await anyio.connect_tcp("localhost", served.exporter.port) as connection:
                await connection.send(garbage)
                with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError), anyio.move_on_after(0.2):
                    while True:
                        await connection.receive()
        assert len(await client.backends()) == 3
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


class Broken:
    """A control whose every method that a call reaches fails with something that must not leak."""

    def __init__(self, control: Control) -> None:
        self.metrics = control.metrics  # asked once, for how many connections there is room

    def __getattr__(self, name: str) -> Any:
        def fail(*_: Any, **__: Any) -> Any:
            raise RuntimeError("secret: /etc/shadow")

        return fail


async def test_a_fault_of_ours_is_internal_and_does_not_leak(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as whole, exported(Broken(whole.control)) as served, connect(served.target) as client:
        for call in (client.info(), client.command(PauseBackend("alpha")), anext(client.watch())):
            with pytest.raises(ServerFault) as caught:
                await call
            assert str(caught.value) == "a fault in maglevd; its log has the details"
    assert [record.message for record in caplog.records if record.name == "maglev.grpc"] == ["call-failed"] * 3
    assert all(record.exc_info for record in caplog.records if record.name == "maglev.grpc")


class Slow:
    """A control whose commands take until they are let go."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self.begun, self.go, self.done = anyio.Event(), anyio.Event(), anyio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._control, name)

    async def command(self, command: Any, actor: Any) -> Any:
        with anyio.CancelScope(shield=True):  # as the controller does with what has begun
            self.begun.set()
            await self.go.wait()
            result = await self._control.command(command, actor)
        self.done.set()
        return result


async def test_a_command_is_carried_to_its_end_though_the_caller_hung_up() -> None:
    async with running() as served:
        slow = Slow(served.control)
        async with exported(slow) as front, connect(front.target) as client:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.command, PauseBackend("alpha"))
                await slow.begun.wait()
                tasks.cancel_scope.cancel()
            slow.go.set()
            await slow.done.wait()
        assert served.control.snapshot().backends["alpha"].state == "paused"


async def test_a_command_that_waits_is_not_carried_out_once_its_caller_hung_up() -> None:
    async with running() as served, served.client() as client:
        turns = served.control.commands._one_at_a_time
        async with turns:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.command, PauseBackend("alpha"))
                await until(lambda: turns.statistics().tasks_waiting, "it waits")
                tasks.cancel_scope.cancel()
            await until(lambda: not turns.statistics().tasks_waiting, "it has given up")
        assert (await client.command(PauseBackend("beta"))).changed
        states = {name: backend.state for name, backend in served.control.snapshot().backends.items()}
        assert (states["alpha"], states["beta"]) == ("up", "paused")


async def test_a_command_is_carried_to_its_end_though_the_server_stops() -> None:
    async with running() as served:
        slow = Slow(served.control)
        async with exported(slow) as front, connect(front.target) as client:
            results: list[Any] = []

            async def give() -> None:
                results.append(await client.command(PauseBackend("alpha")))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(give)
                await slow.begun.wait()
                front.stop()
                slow.go.set()
            assert results[0].changed
            await front.stopped.wait()


async def test_a_port_that_is_taken_is_named_in_one_line_and_tried_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "FIRST_RETRY_S", 0.01)
    async with running() as served:
        taken = served.target
        second = GrpcExporter(GrpcOptions(addr=taken))
        ready = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(second.serve, served.control, ready.set)
            await until(lambda: second.troubles, "it is said")
            assert not ready.is_set()
            served.stop()
            await served.stopped.wait()
            await ready.wait()
            async with connect(taken) as client:
                assert len(await client.backends()) == 3
            tasks.cancel_scope.cancel()
    told = [record for record in caplog.records if record.message == "cannot-listen"]
    assert [getattr(record, "maglev_fields", {})["problem"] for record in told] == [
        f"cannot listen on {taken}: Address already in use"
    ]
    assert not [record for record in caplog.records if record.exc_info]


async def test_clients_that_vanish_leave_nothing_behind() -> None:
    async with running() as served:
        for _ in range(10):
            async with connect(served.target) as client:
                with anyio.move_on_after(0.05):
                    async for _item in client.watch():
                        pass
        while served.control.bus.subscribers:  # noqa: ASYNC110  (nobody signals that a watcher has left)
            await anyio.sleep(0.01)
        gc.collect()
        assert served.exporter.watching
        assert served.exporter.watching.watchers == 0


async def test_names_of_silly_length_are_not_even_looked_up() -> None:
    async with running() as served, served.client() as client:
        with pytest.raises(BadArgument, match="256"):
            await client.backend("x" * 500_000)
