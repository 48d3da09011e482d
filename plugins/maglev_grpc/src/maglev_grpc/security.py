"""The options for TLS and tokens of a client of maglevd, declared once for all commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from maglev import host_names
from maglev.api import option


def _pair(security: Any, _attribute: attrs.Attribute[Any], value: Path | None) -> None:
    if (value is None) != (security.cert is None):
        raise ValueError("set both a client certificate and its key, or neither")


@attrs.frozen
class Security:
    """TLS and token of a connection to a server; without any of these, clear text.

    Args:
        ca: The authorities of the server's certificate, in PEM; gRPC's own by default.
        cert: The client's certificate with its chain, in PEM.
        key: Its private key, in PEM.
        token_file: A file in the server's format; its first token is sent.
        server_name: The name to expect in the server's certificate; by default that of the target.
    """

    ca: Path | None = option(None, help="Use TLS to maglevd, and trust the authorities in FILE", metavar="FILE")
    cert: Path | None = option(None, help="Use TLS to maglevd, with the client certificate in FILE", metavar="FILE")
    key: Path | None = option(None, help="Private key of the client certificate", metavar="FILE", validator=_pair)
    token_file: Path | None = option(None, help="Use TLS to maglevd, and send the token in FILE", metavar="FILE")
    server_name: str = option(
        "", help="Name to expect in maglevd's certificate", metavar="NAME", validator=host_names.server_name
    )

    @property
    def tls(self) -> bool:
        """Whether to speak TLS."""
        return any((self.ca, self.cert, self.token_file, self.server_name))
