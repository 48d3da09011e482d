"""The options for TLS as a client, by the same names in every checker that speaks it."""

from __future__ import annotations

import ssl
from datetime import timedelta
from functools import cache
from typing import Any, Literal

import attrs

from maglev.api import TLS, option
from maglev.config.values import duration_or_none

OLD_VERSIONS = ("TLSv1.0", "TLSv1.1")
"""Versions that OpenSSL speaks at security level 0 only."""
_HIGHEST_LEVEL = 5


def _check_ciphers(_: object, __: attrs.Attribute[str], value: str) -> None:
    if "@SECLEVEL" in value.upper():
        raise ValueError("ciphers with @SECLEVEL: set the option security-level instead")
    if value and not _are_ciphers(value):
        raise ValueError(f"ciphers {value!r} cannot be used: this OpenSSL knows none of them")


@cache
def _are_ciphers(value: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_ciphers(value)
    except (ssl.SSLError, ValueError):
        return False
    return True


def _check_level(_: object, __: attrs.Attribute[int | None], value: int | None) -> None:
    if value is not None and not 0 <= value <= _HIGHEST_LEVEL:
        raise ValueError(f"security-level {value} is out of range: wanted 0 to {_HIGHEST_LEVEL}")


def _check_version(options: TlsOptions, _: attrs.Attribute[str], value: str) -> None:
    if value in OLD_VERSIONS and options.security_level != 0:
        raise ValueError(f"min-tls-version {value} needs security-level: 0, without which OpenSSL does not speak it")


def _check_key(options: TlsOptions, _: attrs.Attribute[str], value: str) -> None:
    if value and not options.certificate:
        raise ValueError("key without certificate: set certificate too")


@attrs.frozen(slots=False)  # so that a class can have it beside another base
class TlsOptions:
    """The options for TLS, with the same names in every checker: a base of its options class.

    The server name is not among them, since its default depends on the checker.
    """

    insecure_skip_verify: bool = option(False, help="Accept any certificate")
    ca_file: str = option(
        "", help="PEM file with the authorities to trust; default: the system's", examples=("/etc/ssl/internal-ca.pem",)
    )
    certificate: str = option("", help="PEM file with the client certificate to show to the backend")
    key: str = option(
        "", help="PEM file with its private key; default: the file of the certificate", validator=_check_key
    )
    ciphers: str = option(
        "",
        help="Ciphers to offer up to TLS 1.2, for old servers; default: Python's choice",
        allowed="OpenSSL's cipher list format",
        examples=("DEFAULT", "AES128-SHA"),
        validator=_check_ciphers,
    )
    security_level: int | None = option(
        None,
        help="OpenSSL's security level: 1 for servers with 1024-bit Diffie-Hellman or RSA keys, 0 for older ones; "
        "default: the library's, usually 2",
        allowed="0 to 5",
        examples=(1,),
        validator=_check_level,
    )
    min_tls_version: Literal["TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"] = option(
        "TLSv1.2",
        help="Oldest version to accept; versions before TLSv1.2 need security-level: 0, and change the default of "
        "ciphers to DEFAULT",
        validator=_check_version,
    )
    resume: bool = option(
        True,
        help="Resume TLS sessions of earlier probes, which saves CPU; a resumed session shows no certificate, so set "
        "false to see at once that a certificate expired or was replaced",
    )
    cert_expiry: timedelta | None = option(
        None,
        help="Fail or warn from this long before the backend's certificate ends",
        examples=("14d",),
        converter=duration_or_none,
    )
    cert_expiry_action: Literal["fail", "warn"] = option(
        "fail", help="Fail the probe then, or log a warning once a day"
    )


def own_first(_: type[Any], fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """Put a class's own options before those of its bases: a `field_transformer` of `attrs.frozen`."""
    return sorted(fields, key=lambda field: field.inherited)  # type: ignore[attr-defined]  # not in attrs' hints


def given_options(options: TlsOptions) -> tuple[str, ...]:
    """The names, as in YAML, of the options for TLS that are not at their defaults."""
    changed = (field for field in attrs.fields(TlsOptions) if getattr(options, field.name) != field.default)
    return tuple(field.name.replace("_", "-") for field in changed)


def tls_with(options: TlsOptions, context: ssl.SSLContext, server_name: str) -> TLS:
    """Return how to use TLS with one backend: by the options, with this context and this name."""
    ends = options.cert_expiry if options.cert_expiry_action == "fail" else None
    return TLS(context, server_name, options.resume, min_validity_s=ends.total_seconds() if ends else 0.0)


def expiry_warning_s(options: TlsOptions) -> float:
    """Return how long before the end of a certificate to warn, in seconds; 0 for no warning."""
    ends = options.cert_expiry if options.cert_expiry_action == "warn" else None
    return ends.total_seconds() if ends else 0.0
