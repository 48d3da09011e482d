"""A small world: a real controller on the memory dataplane, served by the exporter on a port of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import attrs

import maglev
from maglev import BackendConfig, Config, FrontendConfig, LbConfig, LiveControl, MemberConfig, PoolConfig
from maglev.dataplanes.memory import MemoryDataplane, MemoryStore
from maglev_grpc.client import Client, Security, connect
from maglev_grpc.server import GrpcExporter, GrpcOptions

PLUGINS = maglev.installed({"MAGLEV_LOAD_PLUGINS": ""})
NO_WARM_UP = LbConfig(startup_min_delay=0, startup_max_delay=0, sync_interval=3600)

YAML = """
maglev:
  dataplane: memory
  vpp: {lb: {startup-min-delay: 0, startup-max-delay: 0}}
  backends:
    alpha: {address: 10.1.0.1}
    beta: {address: 10.1.0.2}
    spare: {address: 10.1.0.9}
  frontends:
    web:
      address: 10.9.0.1
      protocol: tcp
      port: 80
      pools:
        - {name: primary, backends: {alpha: {}, beta: {}}}
        - {name: fallback, backends: {spare: {}}}
"""


def small_config() -> Config:
    """One frontend with two static backends and a fallback, and one on another address."""
    members = {name: MemberConfig(100) for name in ("alpha", "beta", "spare")}
    pools = [
        PoolConfig("primary", {"alpha": members["alpha"], "beta": members["beta"]}),
        PoolConfig("fallback", {"spare": members["spare"]}),
    ]
    return Config(
        dataplane="memory",
        lb=NO_WARM_UP,
        backends={
            "alpha": BackendConfig("10.1.0.1"),
            "beta": BackendConfig("10.1.0.2"),
            "spare": BackendConfig("10.1.0.9"),
        },
        frontends={
            "web": FrontendConfig("10.9.0.1", pools, protocol="tcp", port=80),
            "dns": FrontendConfig("10.9.0.2", pools[:1], protocol="udp", port=53),
        },
    )


@attrs.define
class Served:
    """A running controller and the exporter that serves it."""

    control: LiveControl
    exporter: GrpcExporter
    store: MemoryStore
    stop: Callable[[], None]
    stopped: anyio.Event = attrs.field(factory=anyio.Event)

    @property
    def target(self) -> str:
        """Where to connect to."""
        return f"localhost:{self.exporter.port}"

    @asynccontextmanager
    async def client(self, security: Security | None = None, **changes: Any) -> AsyncIterator[Client]:
        """A typed client of it."""
        async with connect(self.target, security, **changes) as client:
            yield client


@asynccontextmanager
async def exported(control: Any, store: MemoryStore | None = None, **options: Any) -> AsyncIterator[Served]:
    """Serve anything that is like a `Control`."""
    exporter = GrpcExporter(GrpcOptions(**{"addr": "localhost:0", **options}))
    ready = anyio.Event()
    async with anyio.create_task_group() as tasks:
        scope = anyio.CancelScope()
        served = Served(control, exporter, store or MemoryStore(), scope.cancel)

        async def serve() -> None:
            with scope:
                await exporter.serve(control, ready.set)
            served.stopped.set()

        tasks.start_soon(serve)
        await ready.wait()
        yield served
        scope.cancel()


@asynccontextmanager
async def running(source: Config | Path | None = None, **options: Any) -> AsyncIterator[Served]:
    """Run a controller on a memory dataplane, and serve it."""
    store = MemoryStore()
    dataplane = MemoryDataplane(store=store)
    # A test that waits in vain is cancelled in good order: all tests share one loop.
    with anyio.fail_after(60):
        async with maglev.open_controller(source or small_config(), plugins=PLUGINS, dataplane=dataplane) as control:
            await until(lambda: len(store.vips) >= 1, "the dataplane is filled")
            async with exported(control, store, **options) as served:
                yield served


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait until something holds; fail, saying what, if it never does."""
    with anyio.move_on_after(20):
        while not condition():  # noqa: ASYNC110  (any condition at all, not one that somebody signals)
            await anyio.sleep(0.005)
        return
    # Not pytest.fail: that is no Exception, and ends the loop that all tests share.
    raise AssertionError(f"never happened: {what}")
