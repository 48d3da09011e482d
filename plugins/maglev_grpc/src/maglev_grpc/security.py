"""The options for TLS and tokens of a client of maglevd, declared once for all commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from maglev import host_names
from maglev.api import option


def _pair(security: Any, _attribute: attrs.Attribute[Any], value: Path | None) -> None:
    if (value is None) != (security.cert is None):
        raise ValueError("a client's certificate and its key go together: both or none")


@attrs.frozen
class Security:
    """How to speak to a server; without any of these, in clear text.

    Args:
        ca: Certificates that the server's is checked against, in PEM; gRPC's own if there are none.
        cert: The client's certificate with its chain, in PEM.
        key: Its private key, in PEM.
        token_file: A file as the server's: the first token in it is sent.
        server_name: The name to expect in the server's certificate; that of the target if empty.
    """

    ca: Path | None = option(
        None, help="Speak TLS to maglevd, and check its certificate against those in FILE", metavar="FILE"
    )
    cert: Path | None = option(None, help="Speak TLS to maglevd with this certificate of the client", metavar="FILE")
    key: Path | None = option(None, help="The private key of that certificate", metavar="FILE", validator=_pair)
    token_file: Path | None = option(None, help="Speak TLS to maglevd, and send the token in FILE", metavar="FILE")
    server_name: str = option(
        "", help="The name to expect in maglevd's certificate", metavar="NAME", validator=host_names.server_name
    )

    @property
    def tls(self) -> bool:
        """Whether to speak TLS."""
        return any((self.ca, self.cert, self.token_file, self.server_name))
