"""The certificate and the password in force: read from files, checked, and swapped while serving."""

from __future__ import annotations

import ssl

import attrs

from maglev.serving import Credentials, read_certificate, read_password
from maglev_prometheus.options import PrometheusOptions


@attrs.frozen
class Secrets:
    """What the options and their files held.

    Args:
        tls: What to serve with; `None` for clear text.
        credentials: Who may read; `None`: everybody may.
    """

    tls: ssl.SSLContext | None = None
    credentials: Credentials | None = None


def read_secrets(options: PrometheusOptions) -> Secrets:
    """Read and check all files that the options name; blocks, so it belongs into a thread.

    Raises:
        ValueError: A file cannot be read or used; says which and why.
    """
    tls = read_certificate(options.cert, options.key) if options.cert and options.key else None
    if not options.user:
        return Secrets(tls)
    password = read_password(options.password_file) if options.password_file else options.password
    return Secrets(tls, Credentials(options.user, password))
