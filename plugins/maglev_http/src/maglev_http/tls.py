"""The TLS context that all backends of an `https` health check share."""

from __future__ import annotations

import ssl

from maglev_http.options import HttpsOptions


def client_context(options: HttpsOptions, alpn: tuple[str, ...]) -> ssl.SSLContext:
    """Make a client's context.

    Args:
        options: The options.
        alpn: Protocols to offer; none: the extension is not sent.

    Raises:
        ValueError: A file cannot be used; the message names the option.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if options.min_tls_version == "TLSv1.3" else ssl.TLSVersion.TLSv1_2
    if alpn:
        context.set_alpn_protocols(list(alpn))
    _trust(context, options)
    _show(context, options)
    return context


def _trust(context: ssl.SSLContext, options: HttpsOptions) -> None:
    """Set whom to trust."""
    if options.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif options.ca_file:
        try:
            context.load_verify_locations(options.ca_file)
        except OSError as error:
            raise ValueError(f"ca-file {options.ca_file} cannot be used: {_reason(error)}") from error
    else:
        context.load_default_certs()


def _show(context: ssl.SSLContext, options: HttpsOptions) -> None:
    """Set which certificate to show."""
    if not options.certificate:
        if options.key:
            raise ValueError("key without certificate: name the certificate that goes with it")
        return
    try:
        context.load_cert_chain(options.certificate, options.key or None, password=_no_password)
    except OSError as error:
        files = " and ".join(filter(None, (options.certificate, options.key)))
        raise ValueError(f"certificate and key in {files} cannot be used: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    return getattr(error, "reason", None) or error.strerror or str(error)


def _no_password() -> str:
    # Without this OpenSSL would ask the terminal, and wait.
    raise ValueError("the key is encrypted: wanted one without a passphrase")
