"""Plugins with the names and options of the official ones, and nothing behind them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

import attrs

from maglev.api import (
    Control,
    Conversation,
    Dataplane,
    Exporter,
    NoOptions,
    Reload,
    Session,
    StreamChecker,
    Target,
    option,
)
from maglev.config import PluginSet


def parse_codes(text: str | int) -> tuple[tuple[int, int], ...]:
    """Read `200-299,304`."""
    ranges = []
    for part in str(text).split(","):
        match = re.fullmatch(r"\s*([0-9]{3})(?:-([0-9]{3}))?\s*", part)
        if not match:
            raise ValueError(f"{part!r} is no status or range of statuses: 200-299,304 is allowed")
        ranges.append((int(match[1]), int(match[2] or match[1])))
    return tuple(ranges)


@attrs.frozen
class HttpOptions:
    path: str = option("/", help="What to ask for")
    host: str = option("", help="Host header", examples=("www.example.org",))
    method: Literal["GET", "HEAD"] = option("GET", help="How to ask")
    response_code: tuple[tuple[int, int], ...] = option("200-299", help="Statuses that pass", converter=parse_codes)
    response_regexp: str = option("", help="What the body must match")
    headers: Mapping[str, str] = option(factory=dict, help="More request headers")


@attrs.frozen
class HttpsOptions(HttpOptions):
    server_name: str = option("", help="SNI, and the name in the certificate")
    insecure_skip_verify: bool = option(False, help="Take any certificate")
    ca_file: Path | None = option(None, help="Certificates to trust")
    password: str = option("", help="Of the key", secret=True)


class FakeChecker(StreamChecker):
    def conversations(self, target: Target) -> Callable[[], Conversation]:
        return Conversation


class Http(FakeChecker):
    name = "http"
    Options: ClassVar[type[Any]] = HttpOptions

    def __init__(self, options: HttpOptions) -> None:
        super().__init__(options)
        try:
            re.compile(options.response_regexp)
        except re.error as error:
            raise ValueError(f"response-regexp: {error}") from error


class Https(Http):
    name = "https"
    Options = HttpsOptions

    @classmethod
    def advice(cls, options: HttpsOptions) -> tuple[str, ...]:
        return () if options.host or options.server_name else ("neither host nor server-name: no SNI is sent",)


@attrs.frozen
class TcpOptions:
    send: bytes = option(b"", help="Sent once connected")
    expect: str = option("", help="What the answer must match")
    ssl: bool = option(False, help="Whether to speak TLS")


class Tcp(FakeChecker):
    name = "tcp"
    Options = TcpOptions


class Icmp(FakeChecker):
    name = "icmp"
    needs_port = False


class FakeDataplane(Dataplane):
    def connect(self) -> AbstractAsyncContextManager[Session]:
        raise NotImplementedError


class Memory(FakeDataplane):
    name = "memory"
    Options = NoOptions


@attrs.frozen
class VppOptions:
    api_addr: str = option("/run/vpp/api.sock", help="VPP's API socket", flag="vpp-api-addr", reload=Reload.RESTART)
    stats_addr: str = option("/run/vpp/stats.sock", help="VPP's stats socket", flag="vpp-stats-addr")
    call_timeout: timedelta = option(timedelta(seconds=5), help="Deadline of one call", unit="s")


class Vpp(FakeDataplane):
    name = "vpp"
    Options = VppOptions
    needs_source_addresses = True
    needs_routed_servers = True

    @property
    def enabled(self) -> bool:
        return bool(self.options.api_addr)


@attrs.frozen
class GrpcOptions:
    addr: str = option(":9090", help="Where to listen", flag="grpc-addr")
    reflection: bool = option(True, help="Whether to describe itself", flag="reflection")
    cert: Path | None = option(None, help="Certificate")
    key: Path | None = option(None, help="Its key")
    client_ca: Path | None = option(None, help="Whose clients may write")
    token_file: Path | None = option(None, help="A token that may write")
    allow_remote_writes: bool = option(False, help="Whether all may write")
    local_writes: Literal["all", "same-user", "none"] = option("same-user", help="Whose users of this host may write")


class FakeExporter(Exporter):
    async def serve(self, control: Control, ready: Callable[[], None]) -> None:
        ready()


class Grpc(FakeExporter):
    name = "grpc"
    Options = GrpcOptions


@attrs.frozen
class PrometheusOptions:
    addr: str = option(":9091", help="Where to listen", flag="metrics-addr")
    probe_histogram: Literal["backend", "type"] = option("backend", help="Histogram per")
    slots: int | None = option(None, help="For the tests", flag="slots")


class Prometheus(FakeExporter):
    name = "prometheus"
    Options = PrometheusOptions


@attrs.frozen
class FeedOptions:
    target: str = option(help="Where to send to")


class Feed(FakeExporter):
    """An exporter that does nothing until it is told where to."""

    name = "feed"
    Options = FeedOptions


ALL = PluginSet(
    checkers={cls.name: cls for cls in (Http, Https, Tcp, Icmp)},
    dataplanes={cls.name: cls for cls in (Memory, Vpp)},
    exporters={cls.name: cls for cls in (Grpc, Prometheus, Feed)},
)
