"""The certificate and the password in force: read from files, checked, and swapped while serving."""

from __future__ import annotations

import ssl

import attrs

from maglev.serving import Credentials, read_certificate, read_file, read_password
from maglev_prometheus.options import PrometheusOptions


@attrs.frozen
class Secrets:
    """The contents of the options and their files.

    Args:
        tls: What to serve with; `None` for clear text.
        credentials: Who may read; `None`: everybody may.
        chain: The certificate that `tls` was made of, in PEM.
    """

    tls: ssl.SSLContext | None = attrs.field(default=None, eq=False)
    credentials: Credentials | None = None
    chain: bytes = b""

    def differences(self, old: Secrets) -> tuple[str, ...]:
        """Describe the differences from the former ones, in words."""
        found = {
            "TLS switched on" if old.tls is None else "TLS switched off": (self.tls is None) != (old.tls is None),
            "new certificate": bool(self.chain and old.chain) and self.chain != old.chain,
            "new user or password": self.credentials != old.credentials,
        }
        return tuple(what for what, differs in found.items() if differs)


def read_secrets(options: PrometheusOptions) -> Secrets:
    """Read and check all files that the options name; blocks, so it belongs into a thread.

    Raises:
        ValueError: A file cannot be read or used; says which and why.
    """
    tls = read_certificate(options.cert, options.key) if options.cert and options.key else None
    chain = read_file(options.cert) if options.cert else b""
    if not options.user:
        return Secrets(tls, chain=chain)
    password = read_password(options.password_file) if options.password_file else options.password
    return Secrets(tls, Credentials(options.user, password), chain)
