"""The options of `type: tcp`."""

from __future__ import annotations

from typing import Literal

import attrs

from maglev import host_names
from maglev.api import option
from maglev.tls_options import TlsOptions, own_first


@attrs.frozen(field_transformer=own_first)
class TcpOptions(TlsOptions):
    """The `params` of a `tcp` health check. Without any of them, an established connection passes."""

    send: str = option(
        "",
        help="Text to send after connecting; \\xNN is the byte NN, and \\r, \\n, \\t, \\0 and \\\\ are as in C",
        secret=True,
        examples=("PING\r\n",),
    )
    send_hex: str = option(
        "",
        help="Bytes to send instead, in hexadecimal",
        secret=True,
        allowed="two hexadecimal digits per byte, with or without blanks between bytes",
        examples=("16 03 01",),
    )
    expect: str = option(
        "",
        help="Pattern to find in the first 64 KiB of the answer; checked as data arrives, so $ is the end of the data "
        "so far; to match an answer that ends in a newline, the pattern must include it (ok\\n?$)",
        allowed="RE2 syntax",
        examples=(r"^\+PONG",),
    )
    encoding: Literal["utf-8", "latin-1"] = option(
        "utf-8",
        help="Encoding of send and expect; latin-1: each byte is a character, and \\xNN in expect is the byte NN; "
        "utf-8: an answer that is not UTF-8 is also tried as latin-1",
    )
    ssl: bool = option(False, help="Use TLS; without send and expect, a completed handshake passes")
    server_name: str = option(
        "",
        help="Name to send (SNI) and to check in the certificate; default: the backend's address",
        validator=host_names.server_name,
    )
