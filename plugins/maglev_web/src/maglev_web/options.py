"""The options of `maglevd-frontend`, from its command line and environment."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal

import attrs
import click

from maglev import command_line
from maglev.api import option
from maglev.listening import read_address
from maglev.serving import Credentials
from maglev_grpc.client import read_target
from maglev_grpc.security import Security
from maglev_web.http.hosts import read_hosts


def read_servers(text: str | tuple[str, ...]) -> tuple[str, ...]:
    """Read a list of servers, separated by commas; raises `ValueError` if one makes no sense or stands there twice."""
    servers = tuple(part.strip() for part in text.split(",")) if isinstance(text, str) else text
    targets = [read_target(server) for server in servers]
    if len(set(targets)) < len(targets):
        raise ValueError(f"{text!r} names a server twice")
    return servers


def read_proxies(text: str | tuple[str, ...]) -> tuple[str, ...]:
    """Read addresses and networks, separated by commas; raises `ValueError` if one is none."""
    parts = text.split(",") if isinstance(text, str) else text
    return tuple(str(ip_network(part.strip())) for part in parts if part.strip())


def read_credentials(environment: Mapping[str, str]) -> Credentials | None:
    """Read user and password; `None` if neither is set, `ValueError` if only one is."""
    user = environment.get("MAGLEV_FRONTEND_USER", "")
    password = environment.get("MAGLEV_FRONTEND_PASSWORD", "")
    if bool(user) != bool(password):
        raise ValueError("set both MAGLEV_FRONTEND_USER and MAGLEV_FRONTEND_PASSWORD, or neither")
    if ":" in user:
        raise ValueError("MAGLEV_FRONTEND_USER must have no colon in it")
    return Credentials(user, password) if user else None


def _address(text: str) -> str:
    read_address(text)
    return text


def _hosts(names: tuple[str, ...]) -> tuple[str, ...]:
    return read_hosts(",".join(names))


def _pair(settings: Any, _attribute: attrs.Attribute[Any], value: Path | None) -> None:
    if (value is None) != (settings.tls_cert is None):
        raise ValueError("set both --tls-cert and --tls-key, or neither")


@attrs.frozen
class Settings:
    """One start of `maglevd-frontend`.

    Args:
        security: How to speak to the daemons.
        credentials: Who may enter `/admin/`; `None`: nobody.
    """

    servers: tuple[str, ...] = option(
        "localhost:9090",
        help="Daemons to show, separated by commas",
        flag="server",
        variable="MAGLEV_SERVERS",
        metavar="HOST:PORT[,…]",
        converter=read_servers,
    )
    listen: str = option(
        "127.0.0.1:8080",
        help="Address and port to listen on; `:port` for all addresses, open to other hosts",
        metavar="ADDRESS:PORT",
        converter=_address,
    )
    log_level: Literal["debug", "info", "warning", "error"] = option(
        "info", help="Lowest level to log", aliases={"warn": "warning"}
    )
    audit_log: str = option(
        "",
        help="Destination of the audit record: a file, or `journal`; empty: the log, at any log level",
        variable="MAGLEV_FRONTEND_AUDIT_LOG",
        metavar="FILE",
    )
    security: Security = attrs.field(factory=Security)
    credentials: Credentials | None = None
    tls_cert: Path | None = option(None, help="Serve HTTPS with this certificate and its chain", metavar="FILE")
    tls_key: Path | None = option(None, help="Private key of the server's certificate", metavar="FILE", validator=_pair)
    trusted_proxies: tuple[str, ...] = option(
        "",
        help="Trust X-Forwarded-For and X-Forwarded-Proto from these addresses; default: from none",
        metavar="NETWORK[,…]",
        converter=read_proxies,
    )
    allowed_hosts: tuple[str, ...] = option(
        (),
        help="Answer only under this host name, addresses and localhost; may be repeated; default: any name",
        flag="allowed-host",
        variable="MAGLEV_ALLOWED_HOSTS",
        metavar="HOST[,…]",
        multiple=True,
        converter=_hosts,
    )

    @classmethod
    def parsed(cls, values: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
        """Read what click has parsed.

        Args:
            values: By parameter name, as `options` names them.
            environment: For user and password, which no command line should show.

        Raises:
            ValueError: User and password do not go together.
            click.UsageError: Something else makes no sense.
        """
        return command_line.read(cls, values, credentials=read_credentials(environment))


def options() -> list[click.Parameter]:
    """The options, without those that click brings.

    Their own variables go first: in an environment file that maglevd reads too, `MAGLEV_LOG_LEVEL` is for both.
    """
    return command_line.options_of(Settings, prefix="MAGLEV_FRONTEND_")
