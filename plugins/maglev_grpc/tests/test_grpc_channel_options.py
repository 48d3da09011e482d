"""Options of gRPC's core: it says nothing of a name that it does not know, so that a mistake is found here or never."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import anyio
import anyio.abc
import grpc
import pytest

import maglev_grpc
from maglev.api import PauseBackend
from maglev_grpc.client import Connected, Watched, channel, connect
from maglev_grpc.server import exporter
from plugins.maglev_grpc.tests.serving import running, until

SOURCES = Path(maglev_grpc.__file__).parent
PING = bytes((0, 0, 8, 6, 0, 0, 0, 0, 0))
"""The head of a PING frame of HTTP/2 that is no answer to another: length 8, type 6, no flags, stream 0."""
ENOUGH_PINGS = 8
"""Three too many end the connection, and the first two may be in time."""


def names_in(source: Path) -> Iterator[str]:
    """Names of options: the first of two in a tuple."""
    for node in ast.walk(ast.parse(source.read_text())):
        match node:
            case ast.Tuple(elts=[ast.Constant(value=str(name)), _]) if name.startswith("grpc."):
                yield name


OPTIONS = sorted({name for source in SOURCES.rglob("*.py") for name in names_in(source)})


def test_options_of_server_and_client_are_found() -> None:
    assert {name for name, _value in (*exporter._SERVER, *channel._OPTIONS)} <= set(OPTIONS)
    assert "grpc.ssl_target_name_override" in OPTIONS


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_is_compiled_into_grpc(name: str) -> None:
    # Found as text in C ends: what stands before it may be the head of a longer text with the same end.
    (compiled,) = (file.read_bytes() for file in Path(grpc.__file__).parent.glob("_cython/cygrpc*.so"))
    assert compiled.find(name.encode() + b"\0") >= 0


@asynccontextmanager
async def counting(port: int) -> AsyncIterator[tuple[int, list[int]]]:
    """Carry connections to a port; gives where, and how many pings came from clients."""
    pings = [0]

    async def pump(source: anyio.abc.SocketStream, sink: anyio.abc.SocketStream, *, count: bool) -> None:
        try:
            async for data in source:
                pings[0] += count * data.count(PING)
                await sink.send(data)
        except anyio.BrokenResourceError:
            return

    async def carry(client: anyio.abc.SocketStream) -> None:
        async with client, await anyio.connect_tcp("localhost", port) as server, anyio.create_task_group() as both:
            both.start_soon(lambda: pump(client, server, count=True))
            await pump(server, client, count=False)
            both.cancel_scope.cancel()

    async with await anyio.create_tcp_listener(local_host="localhost") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, carry)
        yield listener.extra(anyio.abc.SocketAttribute.local_port), pings
        tasks.cancel_scope.cancel()


async def test_a_silent_watch_outlives_its_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    shortened = ("grpc.keepalive_time_ms", "grpc.http2.min_ping_interval_without_data_ms")
    for module, options in ((exporter, "_SERVER"), (channel, "_OPTIONS")):
        as_they_are = getattr(module, options)
        quick = tuple((name, value // 200 if name in shortened else value) for name, value in as_they_are)
        monkeypatch.setattr(module, options, quick)
    async with (
        running() as served,
        counting(served.exporter.port or 0) as (port, pings),
        connect(f"localhost:{port}") as client,
        aclosing(client.watch(reconnect=False)) as items,
    ):
        assert isinstance(await anext(items), Connected)
        await until(lambda: pings[0] >= ENOUGH_PINGS, "more pings than a server puts up with")
        await client.command(PauseBackend("alpha"))
        while not isinstance(await anext(items), Watched):
            pass
