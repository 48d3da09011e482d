"""Strangers' connections: bounded in all and for each, let go when idle, and never at the cost of a probe."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from maglev.api import BackendState
from maglev_grpc.client import Connected, Unavailable, Watched, connect
from maglev_grpc.server import exporter
from maglev_grpc.server.visitors import owner
from plugins.maglev_grpc.tests.serving import running, until

HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""A client's preface of HTTP/2, with empty settings."""

CONFIG = """
maglev:
  dataplane: memory
  vpp: {{lb: {{startup-min-delay: 0, startup-max-delay: 0}}}}
  exporters: {{grpc: {{addr: "127.0.0.1:{port}"}}, prometheus: {{addr: ""}}}}
  healthchecks: {{tcp: {{type: tcp, port: {server}, interval: 200ms, timeout: 100ms, rise: 1, fall: 2}}}}
  backends: {{alpha: {{address: 127.0.0.1, healthcheck: tcp}}}}
  frontends:
    web: {{address: 10.9.0.1, protocol: tcp, port: 80, pools: [{{name: primary, backends: {{alpha: {{}}}}}}]}}
"""

CROWD = """
import encodings.idna, os, resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (2000, 2000))
os.setgroups([]), os.setgid(65534), os.setuid(65534)
held = []
for _ in range(1200):
    try:
        held.append(socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5))
        held[-1].sendall(bytes.fromhex(sys.argv[2]))
    except OSError:
        pass
print(len(held), flush=True)
sys.stdin.read()
"""


@contextmanager
def process(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        try:
            yield running
        finally:
            running.send_signal(signal.SIGKILL)


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208  (a count)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start strangers, who are other users here")
async def test_a_crowd_of_idle_connections_neither_blinds_probes_nor_keeps_an_operator_out(tmp_path: Path) -> None:
    port, config = free_port(), tmp_path / "maglev.yaml"
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
        await anyio.Path(config).write_text(CONFIG.format(port=port, server=server.getsockname()[1]))
        daemon = f"ulimit -n 1024; exec {sys.executable} -m maglev.cli --config {config} --state-dir ''"
        start: Callable[..., subprocess.Popen[bytes]] = lambda *words: stack.enter_context(process(*words))  # noqa: E731
        maglevd = await anyio.to_thread.run_sync(start, "sh", "-c", daemon)
        async with connect(f"127.0.0.1:{port}", patience_s=30) as client:
            await client.info()
        crowd = await anyio.to_thread.run_sync(start, sys.executable, "-c", CROWD, str(port), HELLO.hex())
        assert crowd.stdout
        assert int(await anyio.to_thread.run_sync(crowd.stdout.readline)) > 100
        assert await anyio.to_thread.run_sync(descriptors, maglevd.pid) < 512
        async with connect(f"127.0.0.1:{port}") as client:
            with anyio.fail_after(30):
                async for item in client.watch():
                    backends = item.snapshot.backends if isinstance(item, Connected) else {}
                    if "alpha" in backends and backends["alpha"].state is BackendState.UP:
                        server.close()
                    event = item.delivery.event if isinstance(item, Watched) else None
                    state = getattr(getattr(event, "transition", None), "to_state", None)
                    if state is BackendState.UP:
                        server.close()
                    if state is BackendState.DOWN:
                        break
            assert (await client.backend("alpha")).void_code == ""


async def test_no_user_has_more_connections_than_its_share_and_the_rest_is_closed() -> None:
    async with running(addr="127.0.0.1:0", max_connections_per_host=3) as served:
        async with AsyncExitStack() as stack:
            for _ in range(10):
                await stack.enter_async_context(await anyio.connect_tcp("127.0.0.1", served.exporter.port or 0))
            await until(lambda: len(served.exporter.door) == 3, "three are in")
            async with served.client() as client:
                with pytest.raises(Unavailable):
                    await client.info()
        await until(lambda: not len(served.exporter.door), "all have left")
        async with served.client() as client:
            assert (await client.info()).version


@pytest.mark.parametrize(
    "hello,option", [(b"", "grpc.server_handshake_timeout_ms"), (HELLO, "grpc.max_connection_idle_ms")]
)
async def test_who_connects_and_asks_nothing_is_let_go(
    hello: bytes, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = tuple((name, 200 if name == option else value) for name, value in exporter._SERVER)
    monkeypatch.setattr(exporter, "_SERVER", quick)
    async with running(addr="127.0.0.1:0") as served:
        async with await anyio.connect_tcp("127.0.0.1", served.exporter.port or 0) as idle:
            await idle.send(hello or b"P")
            with anyio.fail_after(30), contextlib.suppress(anyio.BrokenResourceError):
                async for _data in idle:
                    pass
        await until(lambda: not len(served.exporter.door), "nobody is in")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_kernel_says_whose_a_connection_is(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.create_server((host, 0), family=family) as listener,
        socket.create_connection(listener.getsockname()[:2]) as client,
        listener.accept()[0],
    ):
        local, remote = client.getsockname()[:2], client.getpeername()[:2]
        assert owner(local, remote) == os.getuid()
        assert owner(remote, local) == os.getuid()
        client.close()
        assert owner(local, remote) is None  # and not root's, as the kernel has it for what nobody holds
    assert owner((host, 1), (host, 2)) is None
