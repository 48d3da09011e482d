"""The client: what servers are called, patience, and what it costs to import."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import Any

import anyio
import grpc
import grpc.aio
import pytest

from maglev import api
from maglev_grpc.client import (
    DeadlineExceeded,
    PermissionDenied,
    ResourceExhausted,
    ServerFault,
    Unavailable,
    connect,
    read_target,
    read_targets,
)
from maglev_grpc.errors import error_of, known, status_of
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from plugins.maglev_grpc.tests.serving import exported, running


@pytest.mark.parametrize(
    "text,target",
    [
        ("localhost", "localhost:9090"),
        ("lb1.example.org:1234", "lb1.example.org:1234"),
        (":1234", "localhost:1234"),
        ("192.0.2.1", "192.0.2.1:9090"),
        ("[2001:db8::1]:80", "[2001:db8::1]:80"),
        ("[2001:db8::1]", "[2001:db8::1]:9090"),
        ("2001:db8::1", "[2001:db8::1]:9090"),
        ("unix:/run/x.sock", "unix:/run/x.sock"),
        ("/run/x.sock", "unix:/run/x.sock"),
        (" localhost ", "localhost:9090"),
    ],
)
def test_what_users_call_a_server_is_understood(text: str, target: str) -> None:
    assert read_target(text) == target


@pytest.mark.parametrize("text", ["", "a b", "host:port", "host:99999", "http://x", "a,b", "[::1"])
def test_what_is_no_server_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a server"):
        read_target(text)


def test_several_servers_are_separated_by_commas() -> None:
    assert read_targets("one, two:80") == ("one:9090", "two:80")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def test_nobody_there_is_said_at_once_and_names_the_server() -> None:
    port = free_port()
    async with connect(f"127.0.0.1:{port}") as client:
        with pytest.raises(Unavailable, match=f"127.0.0.1:{port}: "):
            await client.info()
        with pytest.raises(Unavailable):
            await client.command(api.PauseBackend("alpha"))


async def test_with_patience_a_reader_waits_until_the_server_is_there() -> None:
    port = free_port()
    async with running() as served, connect(f"127.0.0.1:{port}", patience_s=30) as client:
        told: list[str] = []

        async def ask() -> None:
            told.append((await client.info()).version)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await anyio.sleep(0.1)
            assert told == []
            async with exported(served.control, addr=f"127.0.0.1:{port}"):
                while not told:  # noqa: ASYNC110  (until the client has tried again)
                    await anyio.sleep(0.01)


async def test_a_server_that_does_not_answer_is_not_waited_for_for_ever() -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        async with connect(f"127.0.0.1:{port}", timeout_s=0.2) as client:
            with pytest.raises((DeadlineExceeded, Unavailable)):
                await client.info()


ERRORS: list[Exception] = [
    api.UnknownName("backend", "alpa", ("alpha", "alpine")),
    api.BadArgument("weight 101: from 0 to 100 is allowed"),
    api.FailedPrecondition("it is disabled"),
    api.NotConnected("no connection"),
    api.DataplaneError("vpp: it does not answer"),
    PermissionDenied("PauseBackend: 192.0.2.9 may only read"),
    DeadlineExceeded("it took too long"),
    ResourceExhausted("there are 2 watchers already, and no more fit"),
    Unavailable("maglevd is shutting down"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_what_the_controller_raises_the_client_raises_again(error: Exception) -> None:
    told = known(error)
    assert told
    status, message, metadata = status_of(told)
    again = error_of(grpc.aio.AioRpcError(status, grpc.aio.Metadata(), grpc.aio.Metadata(*metadata), message), "x")
    assert type(again) is type(error)
    assert str(again) == str(error)
    if isinstance(error, api.UnknownName) and isinstance(again, api.UnknownName):
        assert again.nearest == error.nearest


@pytest.mark.parametrize(
    "code,kind",
    [
        (grpc.StatusCode.UNAVAILABLE, Unavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineExceeded),
        (grpc.StatusCode.UNIMPLEMENTED, ServerFault),
        (grpc.StatusCode.UNKNOWN, ServerFault),
    ],
)
def test_errors_that_are_not_the_controllers_are_told_apart(code: grpc.StatusCode, kind: type[Exception]) -> None:
    for trailing in (grpc.aio.Metadata(), grpc.aio.Metadata(("maglev-error-bin", b"\xff\xff"))):
        error = error_of(grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, "why"), "lb:1")
        assert type(error) is kind
        assert str(error) == "lb:1: why"


async def test_the_messages_themselves_can_be_had() -> None:
    async with running() as served, served.client() as client:
        message: Any = await client.read("GetBackend", pb.GetBackendRequest(name="alpha"))
        assert isinstance(message, pb.Backend)
        assert message.address == "10.1.0.1"


HEAVY = ("maglev.config", "maglev.runtime", "maglev.domain", "cattrs", "yaml", "rich", "structlog", "httpx")


def test_importing_the_client_imports_nothing_of_the_daemon() -> None:
    code = f"import sys, maglev_grpc.client; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_a_call_ended_by_a_deadline_of_the_caller_is_that_deadline_s_error() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        async with connect(f"127.0.0.1:{mute.getsockname()[1]}") as client:
            with pytest.raises(TimeoutError):
                with anyio.fail_after(0.2):
                    await client.info()
