"""The TLS context of a checker, built once for all backends of its health check."""

from __future__ import annotations

import ssl


def client_context(*, ca_file: str = "", insecure: bool = False) -> ssl.SSLContext:
    """Make a context for clients.

    Args:
        ca_file: PEM file with the authorities to trust; the system's if empty.
        insecure: Accept any certificate.

    Raises:
        ValueError: The file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca_file:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise ValueError(f"ca-file {ca_file} cannot be used: {reason(error)}") from error
    else:
        context.load_default_certs()
    return context


def reason(error: OSError) -> str:
    """Why a file could not be used: what the TLS library says, or else the operating system."""
    return getattr(error, "reason", None) or error.strerror or str(error)
