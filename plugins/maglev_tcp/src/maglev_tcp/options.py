"""What can be set for `type: tcp`."""

from __future__ import annotations

import attrs

from maglev.api import option
from maglev.tls_options import TlsOptions, own_first


@attrs.frozen(field_transformer=own_first)
class TcpOptions(TlsOptions):
    """The `params` of a `tcp` health check. With none of them, being connected is enough."""

    send: str = option(
        "",
        help="Sent once connected, as UTF-8; YAML's double quotes know \\r, \\n and \\x00",
        examples=("PING\r\n",),
    )
    expect: str = option(
        "",
        help="The answer must match this pattern somewhere in its first 64 KiB; judged as data arrives, so $ is the "
        "end of what has come so far",
        allowed="RE2 syntax",
        examples=(r"^\+PONG",),
    )
    ssl: bool = option(False, help="Speak TLS; without send and expect, a completed handshake is enough")
    server_name: str = option(
        "", help="Name to send (SNI) and to find in the certificate; the backend's address if empty"
    )
