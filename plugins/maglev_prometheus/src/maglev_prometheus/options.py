"""The options of the exporter `prometheus`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import attrs

from maglev.api import Reload, hide_url, option
from maglev.serving import addr_option, cert_option, key_option


def _user(_options: Any, _attribute: attrs.Attribute[Any], value: str) -> None:
    if ":" in value:
        raise ValueError(f"{value!r}: the name of a user has no colon in basic authentication")


def _password(options: Any, _attribute: attrs.Attribute[Any], value: str) -> None:
    if value and not options.user:
        raise ValueError("a password needs a user")


def _password_file(options: Any, _attribute: attrs.Attribute[Any], value: Path | None) -> None:
    if value is not None and options.password:
        raise ValueError("password and password-file exclude each other")
    if value is not None and not options.user:
        raise ValueError("a password-file needs a user")
    if options.user and value is None and not options.password:
        raise ValueError("a user needs a password or a password-file")


def _traces(_options: Any, _attribute: attrs.Attribute[Any], value: str) -> None:
    if not value:
        return
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{value!r} is not a URL such as http://collector.example.net:4318/v1/traces")
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.exporter.otlp.proto.http") is None:
        raise ValueError("traces need the extra otel (pip install 'maglev-prometheus[otel]')")


@attrs.frozen
class PrometheusOptions:
    """The options of the exporter `prometheus`."""

    addr: str = addr_option(9091, "metrics-addr")
    cert: Path | None = cert_option()
    key: Path | None = key_option()
    user: str = option(
        "",
        help="User who may read the metrics, by basic authentication; empty: everybody",
        examples=("prometheus",),
        validator=_user,
    )
    password: str = option("", help="The user's password", secret=True, validator=_password)
    password_file: Path | None = option(
        None,
        help="File with the user's password, instead of password",
        examples=("/etc/maglevd/metrics-password",),
        validator=_password_file,
    )
    probe_histogram: Literal["backend", "type"] = option(
        "backend",
        help="Keep a histogram of probe durations (17 series) per backend, or per type of check",
        reload=Reload.RESTART,
    )
    traces: str = option(
        "",
        help="Send traces of drained backends to this URL, by OTLP over HTTP; empty: none",
        secret=hide_url,
        reload=Reload.RESTART,
        allowed="a URL, or empty",
        examples=("http://127.0.0.1:4318/v1/traces",),
        validator=_traces,
    )
