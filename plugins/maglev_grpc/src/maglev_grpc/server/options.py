"""The options of the exporter `grpc`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import attrs

from maglev.api import Reload, option
from maglev.serving import addr_option, cert_option, key_option


def _path(_options: Any, _attribute: attrs.Attribute[Any], value: str) -> None:
    path = value.removeprefix("unix:")
    if value and not path.startswith("/"):
        raise ValueError(f"{value!r} is not an absolute path")
    if len(path.encode()) > 107:
        raise ValueError(f"{value!r} is longer than the 107 bytes that a socket's path may have")


def _needs_tls(options: Any, attribute: attrs.Attribute[Any], value: Path | None) -> None:
    if value is not None and options.cert is None:
        raise ValueError(f"{attribute.name.replace('_', '-')} needs TLS: set cert and key too")


def _at_least_one(_options: Any, _attribute: attrs.Attribute[Any], value: int) -> None:
    if value < 1:
        raise ValueError(f"{value}: 1 or more is allowed")


@attrs.frozen
class GrpcOptions:
    """The options of the exporter `grpc`."""

    addr: str = addr_option(9090, "grpc-addr")
    socket: str = option(
        "",
        help="Path of a unix socket to listen on as well, open to maglevd's own user and group; empty: none",
        flag="grpc-socket",
        reload=Reload.RESTART,
        allowed="an absolute path, or empty",
        examples=("/run/maglevd/grpc.sock",),
        validator=_path,
    )
    reflection: bool = option(
        True,
        help="Describe the service and its messages to clients, so that grpcurl needs no .proto",
        flag="reflection",
        reload=Reload.RESTART,
    )
    cert: Path | None = cert_option()
    key: Path | None = key_option()
    client_ca: Path | None = option(
        None,
        help="PEM file with the authorities of client certificates; with it, every client on addr needs a certificate",
        examples=("/etc/maglevd/clients.crt",),
        validator=_needs_tls,
    )
    token_file: Path | None = option(
        None,
        help="File with one token per line, optionally as `name: token`; clients that send one, over TLS or from this "
        "host, may make changes",
        examples=("/etc/maglevd/token",),
    )
    allow_remote_writes: bool = option(
        False,
        help="Let everybody who can connect make changes",
    )
    local_writes: Literal["all", "same-user", "none"] = option(
        "same-user",
        help="Users of this host who may make changes without a token: all, only root and maglevd's own user, or none",
    )
    max_connections: int = option(
        256,
        help="How many connections to accept at once; fewer if descriptors are scarce",
        allowed="1 or more",
        validator=_at_least_one,
    )
    max_connections_per_host: int = option(
        64,
        help="How many of them from one address (with IPv6, one /64), or from one user of this host",
        allowed="1 or more",
        validator=_at_least_one,
    )
    max_watchers: int = option(
        1000, help="How many event streams to serve at once", allowed="1 or more", validator=_at_least_one
    )
    watch_buffer: int = option(
        1024,
        help="How many undelivered events to keep for a reader that is seconds late; the oldest are lost",
        allowed="1 or more",
        validator=_at_least_one,
    )

    @property
    def socket_path(self) -> str:
        """The path of the unix socket; empty for none."""
        return self.socket.removeprefix("unix:")
