"""A small world: a controller on the memory dataplane, an exporter beside it, and a client that asks it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import anyio
import attrs

from maglev.api import Actor, AsyncChecker, Code, ProbeResult, ReloadConfig, Target
from maglev.config import (
    BackendConfig,
    Config,
    FrontendConfig,
    HealthCheckConfig,
    LbConfig,
    MemberConfig,
    PluginSet,
    PoolConfig,
)
from maglev.dataplanes.memory import MemoryDataplane, MemoryStore
from maglev.runtime import LiveControl, Settings, open_controller
from maglev_prometheus.exporter import PrometheusExporter
from maglev_prometheus.options import PrometheusOptions

NO_WARM_UP = LbConfig(startup_min_delay=0, startup_max_delay=0, sync_interval=3600)


class Scripted(AsyncChecker):
    """Answers what the test says of a backend; passes if it says nothing."""

    name: ClassVar[str] = "scripted"
    needs_port: ClassVar[bool] = False
    results: ClassVar[dict[str, ProbeResult]] = {}

    async def probe(self, target: Target) -> ProbeResult:
        """Answer."""
        return self.results.get(target.backend, ProbeResult(Code.L7OK, "told to pass"))


class Other(Scripted):
    """The same under another name."""

    name: ClassVar[str] = "other"


PLUGINS = PluginSet(
    checkers={"scripted": Scripted, "other": Other},
    dataplanes={"memory": MemoryDataplane},
    exporters={"prometheus": PrometheusExporter},
)


def check(**changes: Any) -> HealthCheckConfig:
    """A health check that decides fast."""
    return HealthCheckConfig(**{"type": "scripted", "interval": 0.02, "timeout": 1, "rise": 2, "fall": 2, **changes})


def frontend(address: str, pools: Mapping[str, Mapping[str, int]], **changes: Any) -> FrontendConfig:
    """A TCP frontend on port 80."""
    made = [
        PoolConfig(name, {backend: MemberConfig(weight) for backend, weight in members.items()})
        for name, members in pools.items()
    ]
    return FrontendConfig(address, made, **{"protocol": "tcp", "port": 80, **changes})


def config(**changes: Any) -> Config:
    """Two frontends: `web` with two servers and a fallback, `api` with one of them on another address."""
    whole: dict[str, Any] = {
        "dataplane": "memory",
        "lb": NO_WARM_UP,
        "healthchecks": {"alive": check()},
        "backends": {
            "a": BackendConfig("10.1.0.1", "alive"),
            "b": BackendConfig("10.1.0.2", "alive"),
            "spare": BackendConfig("10.1.0.9", "alive"),
            "static": BackendConfig("10.1.0.10"),
        },
        "frontends": {
            "web": frontend("10.9.0.1", {"primary": {"a": 100, "b": 100}, "fallback": {"spare": 50, "static": 0}}),
            "api": frontend("10.9.0.2", {"primary": {"a": 100}}),
        },
        **changes,
    }
    return Config(**whole)


async def reload(controller: LiveControl, new: Config) -> None:
    """Take over another configuration."""
    controller.configuration.read_from(new)
    await controller.command(ReloadConfig(), Actor("test", "library"))


@asynccontextmanager
async def controlled(source: Config | None = None, store: MemoryStore | None = None) -> AsyncIterator[LiveControl]:
    """Run a controller."""
    dataplane = MemoryDataplane(store=store or MemoryStore())
    async with open_controller(Settings(source or config(), PLUGINS, dataplane)) as controller:
        yield controller


@attrs.frozen
class Answer:
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    body: str


@attrs.define
class Site:
    """An exporter that serves."""

    exporter: PrometheusExporter
    control: Any
    tls: ssl.SSLContext | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self.exporter.port is not None
        return self.exporter.port

    async def get(self, path: str = "/metrics", method: str = "GET", **headers: str) -> Answer:
        """Ask for a page."""
        return await ask(self.port, path, method, headers, self.tls)

    async def metrics(self, **headers: str) -> str:
        """Ask for the metrics."""
        answer = await self.get("/metrics", **headers)
        assert answer.status == 200, answer
        return answer.body

    async def value(self, series: str) -> str | None:
        """The value of one series; `None` if there is none."""
        return values(await self.metrics()).get(series)

    async def until(self, condition: Callable[[dict[str, str]], object], what: str) -> dict[str, str]:
        """Scrape until the values are as they should be; fail, saying what, if they never are."""
        with anyio.move_on_after(20):
            while not condition(found := values(await self.metrics())):  # noqa: ASYNC110 - any condition at all
                await anyio.sleep(0.005)
            return found
        # Not pytest.fail: that is no Exception, and ends the loop that all tests share.
        raise AssertionError(f"never happened: {what}")


@asynccontextmanager
async def serving(control: Any, *, tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[Site]:
    """Run an exporter on loopback."""
    exporter = PrometheusExporter(PrometheusOptions(**{"addr": "127.0.0.1:0", **options}))
    async with running(exporter, control):
        yield Site(exporter, control, tls)


@asynccontextmanager
async def running(exporter: PrometheusExporter, control: Any) -> AsyncIterator[None]:
    """Run this exporter."""
    ready = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(exporter.serve, control, ready.set)
        await ready.wait()
        yield
        tasks.cancel_scope.cancel()


async def ask(
    port: int,
    path: str,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Ask once, over a connection of its own."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in (headers or {}).items()]
    stream: anyio.abc.ByteStream
    if tls is None:
        stream = await anyio.connect_tcp("127.0.0.1", port)
    else:
        stream = await anyio.connect_tcp("127.0.0.1", port, ssl_context=tls, tls_standard_compatible=False)
    async with stream:
        await stream.send("\r\n".join([*lines, "", ""]).encode())
        return parse(await everything(stream))


async def everything(stream: anyio.abc.ByteStream) -> bytes:
    """Read until the other end closes."""
    parts = []
    with anyio.fail_after(20):
        try:
            while True:
                parts.append(await stream.receive())
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return b"".join(parts)


def parse(raw: bytes) -> Answer:
    """Take a response apart."""
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(status.split()[1]), headers, body.decode())


def values(exposition: str) -> dict[str, str]:
    """Values by series."""
    lines = [line for line in exposition.splitlines() if line and not line.startswith("#")]
    return dict(line.rsplit(" ", 1) for line in lines)
