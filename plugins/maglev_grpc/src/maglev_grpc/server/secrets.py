"""Certificates, keys and tokens: read from files, checked, and swapped while serving."""

from __future__ import annotations

import hmac
import ssl
from pathlib import Path
from typing import Any

import attrs
import grpc

from maglev.serving import read_certificate, read_file
from maglev_grpc.server.options import GrpcOptions
from maglev_grpc.tokens import Token, read_tokens


@attrs.frozen
class Secrets:
    """The contents of the files.

    Args:
        key: The private key, in PEM; `None` without TLS.
        chain: The certificate and its chain, in PEM; `None` without TLS.
        clients: What clients' certificates are checked against, in PEM; `None` if they need none.
        tokens: Any of these lets its sender change things.
    """

    key: bytes | None = attrs.field(default=None, repr=False)
    chain: bytes | None = attrs.field(default=None, repr=False)
    clients: bytes | None = attrs.field(default=None, repr=False)
    tokens: tuple[Token, ...] = attrs.field(default=(), repr=False)

    @property
    def mode(self) -> str:
        """`clear`, `tls` or `mutual TLS`; a running server cannot change it."""
        if self.chain is None:
            return "clear"
        return "tls" if self.clients is None else "mutual TLS"

    def differences(self, old: Secrets) -> tuple[str, ...]:
        """Describe the differences from the former ones, in words."""
        found = {
            "new certificate": (self.key, self.chain) != (old.key, old.chain),
            "other certificates for clients": self.clients != old.clients,
            f"other tokens ({len(self.tokens)}, before {len(old.tokens)})": self.tokens != old.tokens,
        }
        return tuple(what for what, differs in found.items() if differs)

    def whose(self, token: bytes) -> str | None:
        """Tell whose a token is, in a time that does not tell how much of it was right; `None`: it is none of ours."""
        found = [known.name for known in self.tokens if hmac.compare_digest(token, known.value)]
        return found[0] if found else None


def read_secrets(options: GrpcOptions) -> Secrets:
    """Read and check all files that the options name; blocks, so it belongs into a thread.

    Raises:
        ValueError: A file cannot be read or used; says which and why.
    """
    tokens = read_tokens(options.token_file) if options.token_file else ()
    if options.cert is None or options.key is None:
        return Secrets(tokens=tokens)
    read_certificate(options.cert, options.key)
    if options.client_ca is not None:
        _check_authorities(options.client_ca)
    return Secrets(
        key=read_file(options.key),
        chain=read_file(options.cert),
        clients=read_file(options.client_ca) if options.client_ca else None,
        tokens=tokens,
    )


def _check_authorities(path: Path) -> None:
    read_file(path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(path)
    except OSError as error:
        raise ValueError(f"{path} holds no certificates: {error}") from error


class Keeper:
    """Holds the secrets in force, and hands certificates to gRPC, which asks at every handshake."""

    def __init__(self, secrets: Secrets) -> None:
        self.secrets = secrets
        self._handed_out = secrets

    def replace(self, secrets: Secrets) -> None:
        """Use other secrets from the next handshake and the next call on.

        Raises:
            ValueError: They would switch TLS, or clients' certificates, on or off.
        """
        if secrets.mode != self.secrets.mode:
            raise ValueError(f"a change from {self.secrets.mode} to {secrets.mode} needs a restart")
        self.secrets = secrets

    def credentials(self) -> grpc.ServerCredentials | None:
        """The credentials that the server listens with; `None` for clear text."""
        if self.secrets.mode == "clear":
            return None
        return grpc.dynamic_ssl_server_credentials(
            _configuration(self.secrets),
            self._fetch,
            require_client_authentication=self.secrets.clients is not None,
        )

    def _fetch(self) -> Any:
        # Called by gRPC's own threads; `None`, which its types do not know of, goes on with what it has.
        secrets = self.secrets
        if secrets is self._handed_out:
            return None
        self._handed_out = secrets
        return _configuration(secrets)


def _configuration(secrets: Secrets) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(secrets.key or b"", secrets.chain or b"")], secrets.clients)
