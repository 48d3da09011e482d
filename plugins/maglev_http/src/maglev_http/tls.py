"""The TLS context that all backends of an `https` health check share."""

from __future__ import annotations

import ssl

from maglev.client_tls import client_context as trusting_context
from maglev.client_tls import reason
from maglev_http.options import HttpsOptions


def client_context(options: HttpsOptions, alpn: tuple[str, ...]) -> ssl.SSLContext:
    """Make a client's context that offers these protocols; without any the extension is not sent.

    Raises:
        ValueError: A file cannot be used; the message names the option.
    """
    context = trusting_context(ca_file=options.ca_file, insecure=options.insecure_skip_verify)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if options.min_tls_version == "TLSv1.3" else ssl.TLSVersion.TLSv1_2
    if alpn:
        context.set_alpn_protocols(list(alpn))
    _load_certificate(context, options)
    return context


def _load_certificate(context: ssl.SSLContext, options: HttpsOptions) -> None:
    """Load the certificate to show to the backend."""
    if not options.certificate:
        if options.key:
            raise ValueError("key without certificate: name the certificate that goes with it")
        return
    try:
        context.load_cert_chain(options.certificate, options.key or None, password=_no_password)
    except OSError as error:
        files = " and ".join(filter(None, (options.certificate, options.key)))
        raise ValueError(f"certificate and key in {files} cannot be used: {reason(error)}") from error


def _no_password() -> str:
    # Without this OpenSSL would ask the terminal, and wait.
    raise ValueError("the key is encrypted: wanted one without a passphrase")
