"""What the command line and the environment say to `maglevd-frontend`."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import attrs
import click

from maglev.listening import read_address
from maglev.serving import Credentials
from maglev_grpc.client import Security, read_target
from maglev_web.http.hosts import read_hosts

LOG_LEVELS = ("debug", "info", "warning", "error")
_SHOWN: dict[str, Any] = {"show_envvar": True, "show_default": True}


@attrs.frozen
class Settings:
    """One start of `maglevd-frontend`.

    Args:
        servers: The daemons, as the operator wrote them.
        listen: The address to listen on, as `maglev.listening` reads it.
        security: How to speak to the daemons.
        credentials: Who may enter `/admin/`; `None`: nobody.
        tls_cert: Certificate to serve HTTPS with, in PEM; `None`: HTTP.
        tls_key: Its private key.
        trusted_proxies: Addresses and networks whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
        allowed_hosts: Host names under which there is an answer, beside addresses and `localhost`; none: any.
        log_level: The least level that is logged.
    """

    servers: tuple[str, ...]
    listen: str = ":8080"
    security: Security = attrs.field(factory=Security)
    credentials: Credentials | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    log_level: str = "info"

    @classmethod
    def parsed(cls, values: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
        """Read what click has parsed.

        Args:
            values: By parameter name, as `options` names them.
            environment: For user and password, which no command line should show.

        Raises:
            ValueError: Something makes no sense, or things do not go together.
        """
        read_address(values["listen"])
        if (values["tls_cert"] is None) != (values["tls_key"] is None):
            raise ValueError("--tls-cert and --tls-key go together: both or none")
        return cls(
            servers=read_servers(values["server"]),
            listen=values["listen"],
            security=Security(
                **{name: values[name] for name in ("ca", "cert", "key", "token_file")},
                server_name=values["server_name"] or "",
            ),
            credentials=read_credentials(environment),
            tls_cert=values["tls_cert"],
            tls_key=values["tls_key"],
            trusted_proxies=read_proxies(values["trusted_proxies"] or ""),
            allowed_hosts=read_hosts(",".join(values["allowed_host"])),
            log_level=values["log_level"],
        )


def read_servers(text: str) -> tuple[str, ...]:
    """Read a list of servers, separated by commas; raises `ValueError` if one makes no sense or stands there twice."""
    servers = tuple(part.strip() for part in text.split(","))
    targets = [read_target(server) for server in servers]
    if len(set(targets)) < len(targets):
        raise ValueError(f"{text!r} names a server twice")
    return servers


def read_proxies(text: str) -> tuple[str, ...]:
    """Read addresses and networks, separated by commas; raises `ValueError` if one is none."""
    return tuple(str(ip_network(part.strip())) for part in text.split(",") if part.strip())


def read_credentials(environment: Mapping[str, str]) -> Credentials | None:
    """Read user and password; `None` if neither is set, `ValueError` if only one is."""
    user = environment.get("MAGLEV_FRONTEND_USER", "")
    password = environment.get("MAGLEV_FRONTEND_PASSWORD", "")
    if bool(user) != bool(password):
        raise ValueError("MAGLEV_FRONTEND_USER and MAGLEV_FRONTEND_PASSWORD go together: both or none")
    if ":" in user:
        raise ValueError("MAGLEV_FRONTEND_USER must have no colon in it")
    return Credentials(user, password) if user else None


def options() -> list[click.Parameter]:
    """The options, without those that click brings."""
    return [
        _text(
            "server", "MAGLEV_SERVERS", "localhost:9090", "HOST:PORT[,…]", "The daemons to show, separated by commas"
        ),
        _text("listen", "MAGLEV_LISTEN", ":8080", "ADDRESS:PORT", "Where to listen; without an address everywhere"),
        click.Option(
            ["--log-level"],
            envvar="MAGLEV_LOG_LEVEL",
            type=click.Choice(LOG_LEVELS, case_sensitive=False),
            default="info",
            help="The least level that is logged",
            **_SHOWN,
        ),
        _file("ca", "MAGLEV_CA", "Speak TLS to the daemons, and check their certificates against those in FILE"),
        _file("cert", "MAGLEV_CERT", "Speak TLS to the daemons with this client's certificate"),
        _file("key", "MAGLEV_KEY", "The private key of that certificate"),
        _file("token-file", "MAGLEV_TOKEN_FILE", "Speak TLS to the daemons, and send the token in FILE"),
        _text("server-name", "MAGLEV_SERVER_NAME", None, "NAME", "The name to expect in the daemons' certificates"),
        _file("tls-cert", "MAGLEV_TLS_CERT", "Serve HTTPS with this certificate and its chain"),
        _file("tls-key", "MAGLEV_TLS_KEY", "The private key of that certificate"),
        _text(
            "trusted-proxies",
            "MAGLEV_TRUSTED_PROXIES",
            None,
            "NETWORK[,…]",
            "Believe X-Forwarded-For and X-Forwarded-Proto from these addresses; from nobody by default",
        ),
        click.Option(
            ["--allowed-host"],
            metavar="HOST[,…]",
            multiple=True,
            envvar="MAGLEV_ALLOWED_HOSTS",
            help="Answer only under this host name, addresses and localhost; may be given again; any name by default",
            **_SHOWN,
        ),
    ]


def _text(name: str, envvar: str, default: str | None, metavar: str, text: str) -> click.Option:
    return click.Option([f"--{name}"], metavar=metavar, envvar=envvar, default=default, help=text, **_SHOWN)


def _file(name: str, envvar: str, text: str) -> click.Option:
    return click.Option(
        [f"--{name}"], metavar="FILE", type=click.Path(path_type=Path), envvar=envvar, help=text, **_SHOWN
    )
