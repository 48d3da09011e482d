"""The options of `type: tcp`."""

from __future__ import annotations

from typing import Literal

import attrs

from maglev import host_names
from maglev.api import option
from maglev.tls_options import TlsOptions, own_first


@attrs.frozen(field_transformer=own_first)
class TcpOptions(TlsOptions):
    """The `params` of a `tcp` health check. With none of them, being connected is enough."""

    send: str = option(
        "",
        help="Sent once connected; \\xNN is the byte NN, and \\r, \\n, \\t, \\0 and \\\\ are what they are in C",
        secret=True,
        examples=("PING\r\n",),
    )
    send_hex: str = option(
        "",
        help="The same in hexadecimal, in place of send",
        secret=True,
        allowed="bytes of two hexadecimal digits, with blanks between them or not",
        examples=("16 03 01",),
    )
    expect: str = option(
        "",
        help="The answer must match this pattern somewhere in its first 64 KiB; judged as data arrives, so $ is the "
        "end of what has come so far; a newline at the end has to be in the pattern (ok\\n?$)",
        allowed="RE2 syntax",
        examples=(r"^\+PONG",),
    )
    encoding: Literal["utf-8", "latin-1"] = option(
        "utf-8",
        help="How send and expect are read; latin-1: each byte is a character, and \\xNN in expect is the byte NN; "
        "utf-8: an answer that is no UTF-8 is also tried as latin-1",
    )
    ssl: bool = option(False, help="Speak TLS; without send and expect, a completed handshake is enough")
    server_name: str = option(
        "",
        help="Name to send (SNI) and to find in the certificate; the backend's address if empty",
        validator=host_names.server_name,
    )
