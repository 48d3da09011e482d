"""The unix socket: who connects is known from the kernel, and the socket comes and goes with the server."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import anyio.to_thread
import pytest

from maglev import listening
from maglev.api import PauseBackend
from maglev_grpc.client import Security, Unavailable, connect
from plugins.maglev_grpc.tests.serving import running, until

ASK = """
import asyncio, os, sys
from maglev.api import PauseBackend
from maglev_grpc.client import connect

async def main():
    async with connect(sys.argv[1]) as client:
        await client.info()  # imports what nobody may not read
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
    async with connect(sys.argv[1]) as client:
        print((await client.info()).may_change_why)
        try:
            print((await client.command(PauseBackend("alpha"))).changed)
        except Exception as error:
            print(type(error).__name__, error)

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "grpc.sock")


async def test_our_own_user_changes_things_and_is_known_by_number(path: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "maglev.audit")
    async with running(addr="", socket=path) as served:
        assert served.exporter.port is None
        async with connect(f"unix:{path}") as client:
            assert (await client.info()).may_change_why == "unix socket"
            assert (await client.command(PauseBackend("alpha"))).changed
    (record,) = [record for record in caplog.records if record.name == "maglev.audit"]
    fields = getattr(record, "maglev_fields", {})
    assert fields["who"] == f"uid {os.getuid()}"
    assert fields["peer"] == f"unix:uid={os.getuid()},pid={os.getpid()}"


async def test_both_addresses_are_served_at_once(path: str) -> None:
    async with running(socket=f"unix:{path}") as served, served.client() as one, connect(path) as other:
        assert (await one.info()).may_change_why == "loopback"
        assert (await other.info()).may_change_why == "unix socket"


@pytest.fixture
def open_folder() -> Iterator[str]:
    """A folder that every user may pass through, as /run is."""
    with TemporaryDirectory(prefix="maglev-test-") as folder:
        Path(folder).chmod(0o711)
        yield folder


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user; the rules have tests of their own")
async def test_another_user_reads_but_changes_nothing(open_folder: str) -> None:
    path = f"{open_folder}/grpc.sock"
    async with running(addr="", socket=path) as served:
        await anyio.Path(path).chmod(0o666)
        told = await anyio.to_thread.run_sync(ask_as_nobody, f"unix:{path}")
        assert "root and maglevd's own user may make changes; you are uid 65534" in told[0]
        assert told[1].startswith("PermissionDenied PauseBackend: on this host root and")
        assert served.control.snapshot().backends["alpha"].state == "up"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user; the rules have tests of their own")
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_another_user_on_loopback_reads_but_changes_nothing(host: str) -> None:
    async with running(addr=f"{host}:0") as served:
        target = f"{host}:{served.exporter.port}"
        told = await anyio.to_thread.run_sync(ask_as_nobody, target)
        assert "you are uid 65534" in told[0]
        assert told[1].startswith("PermissionDenied PauseBackend: on this host root and")
        await served.exporter.reload(type(served.exporter.options)(local_writes="all"))
        assert await anyio.to_thread.run_sync(ask_as_nobody, target) == ["loopback", "True"]


def ask_as_nobody(target: str) -> list[str]:
    command = [sys.executable, "-c", ASK, target]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


async def test_the_socket_is_for_user_and_group_and_vanishes_with_the_server(path: str) -> None:
    async with running(addr="", socket=path):
        mode = (await anyio.Path(path).stat()).st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o660
    assert not await anyio.Path(path).exists()


async def test_a_socket_that_nobody_serves_any_more_is_replaced(path: str) -> None:
    await anyio.to_thread.run_sync(leave_behind, path)
    async with running(addr="", socket=path), connect(path) as client:
        assert (await client.info()).version


def leave_behind(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as abandoned:
        abandoned.bind(path)


async def test_a_socket_that_is_served_is_left_alone(path: str, caplog: pytest.LogCaptureFixture) -> None:
    async with running(addr="", socket=path):
        async with running(addr="localhost:0", socket=path) as second, second.client() as client:
            assert (await client.info()).version  # the port is served all the same
            assert second.exporter.troubles == {path: f"cannot listen on {path}: somebody listens there already"}
        async with connect(path) as client:
            assert (await client.info()).version
    assert not [record for record in caplog.records if record.exc_info]


async def test_what_is_no_socket_is_left_alone_and_tried_again(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "FIRST_RETRY_S", 0.01)
    await anyio.Path(path).write_text("precious")
    async with running(addr="localhost:0", socket=path) as served:
        assert served.exporter.troubles == {path: f"cannot listen on {path}: it exists and is not a socket"}
        assert await anyio.Path(path).read_text() == "precious"
        await anyio.Path(path).unlink()
        await until(lambda: not served.exporter.troubles, "the socket is opened")
        async with connect(path) as client:
            assert (await client.info()).version


async def test_connections_that_come_and_go_leave_nothing_behind(path: str) -> None:
    async with running(addr="", socket=path) as served:
        async with connect(path) as client:
            await client.info()
        before = await descriptors()
        for _ in range(20):
            async with connect(path) as client:
                await client.info()
            _reader = await anyio.connect_unix(path)
            await _reader.send(b"GET / HTTP/1.1\r\n\r\n")
            await _reader.aclose()
        async with connect(path) as client:
            assert (await client.info()).watchers == 0
        allowed = before + 4  # gRPC closes its ends in its own time
        while await descriptors() > allowed:  # noqa: ASYNC110  (nobody signals a closed descriptor)
            await anyio.sleep(0.02)
        assert served.exporter.watching


async def descriptors() -> int:
    return await anyio.to_thread.run_sync(lambda: len(os.listdir("/proc/self/fd")))  # noqa: PTH208  (a count)


async def test_watching_over_the_socket_ends_with_the_server(path: str) -> None:
    async with running(addr="", socket=path) as served, connect(path) as client:
        watching = client.watch(reconnect=False)
        await anext(watching)
        served.stop()
        with pytest.raises(Unavailable, match="shutting down"):
            await to_the_end(watching)
        await until(served.stopped.is_set, "the server has stopped")


async def to_the_end(items: AsyncIterator[object]) -> None:
    async for _item in items:
        pass


async def test_tls_makes_no_sense_on_the_socket(path: str) -> None:
    with pytest.raises(ValueError, match="speaks no TLS"):
        async with connect(path, Security(server_name="x")):
            pass
