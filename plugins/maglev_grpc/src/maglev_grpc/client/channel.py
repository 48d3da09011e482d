"""Opens channels to a server: targets, TLS, tokens."""

from __future__ import annotations

import re
from pathlib import Path

import grpc
import grpc.aio

from maglev_grpc.security import Security
from maglev_grpc.tokens import read_tokens

DEFAULT_PORT = 9090
LARGEST_ANSWER = 256 * 1024 * 1024
"""Bytes; the state of some ten thousand backends is a few million."""

_OPTIONS = (
    ("grpc.enable_http_proxy", 0),  # a control connection goes where it is told
    ("grpc.max_receive_message_length", LARGEST_ANSWER),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),  # no bound: a silent watch notices a dead server too
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 5_000),  # how long one attempt may take: a busy host is late with its first frame
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.use_local_subchannel_pool", 1),
)


_TARGET = re.compile(r"(?:(?P<host>\[[^\]]+\]|[^\[\]:\s/,]+))?(?::(?P<port>\d{1,5}))?")


def read_target(text: str) -> str:
    """Complete what a user calls a server.

    Args:
        text: `host`, `host:port`, `:port`, `[2001:db8::1]:port`, `2001:db8::1`, `unix:/path` or `/path`.

    Returns:
        A target as gRPC wants it.

    Raises:
        ValueError: It is none of these.
    """
    text = text.strip()
    if text.startswith(("unix:", "/")):
        return "unix:" + text.removeprefix("unix:")
    if text.count(":") > 1 and not text.startswith("["):
        text = f"[{text}]"
    match = _TARGET.fullmatch(text)
    if not text or match is None or int(match["port"] or 0) > 65535:
        raise ValueError(f"{text!r} is not a server: use host, host:port, [address]:port or unix:/path")
    return f"{match['host'] or 'localhost'}:{match['port'] or DEFAULT_PORT}"


def read_targets(text: str) -> tuple[str, ...]:
    """Complete a list of servers, separated by commas.

    Raises:
        ValueError: One is none, or there are none.
    """
    return tuple(read_target(part) for part in text.split(","))


def read_credentials(target: str, security: Security) -> grpc.ChannelCredentials | None:
    """Read the files that `security` names; blocks, so it belongs into a thread.

    Returns:
        gRPC's credentials; `None` for clear text.

    Raises:
        ValueError: A file cannot be read or used, or TLS is asked for where there is none.
    """
    if not security.tls:
        return None
    if target.startswith("unix:"):
        raise ValueError(f"{target} speaks no TLS: leave certificates and token out")
    from maglev_grpc.client.tls_files import check  # noqa: PLC0415  (clear text does without `ssl`)

    check(security)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=_read(security.ca), private_key=_read(security.key), certificate_chain=_read(security.cert)
    )
    if security.token_file is None:
        return credentials
    # Call credentials, which gRPC never sends in clear text.
    token = grpc.access_token_call_credentials(read_tokens(security.token_file)[0].value.decode())
    return grpc.composite_channel_credentials(credentials, token)


def open_channel(target: str, credentials: grpc.ChannelCredentials | None, security: Security) -> grpc.aio.Channel:
    """Make a channel for the running event loop; it connects with the first call."""
    if credentials is None:
        return grpc.aio.insecure_channel(target, options=_OPTIONS)
    named = (("grpc.ssl_target_name_override", security.server_name),) if security.server_name else ()
    return grpc.aio.secure_channel(target, credentials, options=(*_OPTIONS, *named))


def _read(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
