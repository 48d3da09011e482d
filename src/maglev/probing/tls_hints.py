"""Says why TLS failed, in the library's words, and which option would help where one would."""

from __future__ import annotations

import ssl

_NOTHING_IN_COMMON = (
    "perhaps no cipher in common (set ciphers or security-level), or a certificate wanted (certificate)"
)
_WEAK = "set security-level: 1"
_WEAKER = "set security-level: 0"
_OLD = "no TLS version in common: set min-tls-version"
_SHOW = "set certificate"
_CLEAR = "this is not TLS"

_HINTS = {
    # What we refuse, or cannot do.
    "DH_KEY_TOO_SMALL": f"{_WEAK}, or 0 if it is below 1024 bits",
    "EE_KEY_TOO_SMALL": _WEAK,
    "CA_KEY_TOO_SMALL": _WEAK,
    "CA_MD_TOO_WEAK": _WEAK,
    "LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED": _WEAKER,
    "NO_SUITABLE_SIGNATURE_ALGORITHM": _WEAKER,
    "WRONG_SIGNATURE_TYPE": _WEAKER,
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": _WEAKER,
    "NO_CIPHERS_AVAILABLE": "set ciphers or security-level",
    "WRONG_CIPHER_RETURNED": "no cipher in common: set ciphers",
    "UNKNOWN_CIPHER_RETURNED": "no cipher in common: set ciphers",
    "UNSUPPORTED_PROTOCOL": _OLD,
    "WRONG_SSL_VERSION": _OLD,
    # What the server says: it names the alert, and seldom the reason.
    "SSLV3_ALERT_HANDSHAKE_FAILURE": _NOTHING_IN_COMMON,
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": "no cipher in common: set ciphers",
    "TLSV1_ALERT_PROTOCOL_VERSION": _OLD,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _SHOW,
    "TLSV1_ALERT_UNKNOWN_CA": "it does not trust our certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it refuses our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it refuses our certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it refuses our certificate",
    "TLSV1_UNRECOGNIZED_NAME": "set server-name",
    # What does not speak TLS.
    "WRONG_VERSION_NUMBER": _CLEAR,
    "HTTP_REQUEST": _CLEAR,
}
"""By OpenSSL's reason, as the ssl module spells it."""
_VERIFY_HINTS = dict.fromkeys((66, 67, 68), _WEAK)
"""By `X509_V_ERR_…`: the certificate's key, that of an authority, or a signature is too weak."""


def describe(error: ssl.SSLError) -> str:
    """Return why TLS failed, and the option to set if one would help, in one line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        words, hint = f"certificate: {error.verify_message}", _VERIFY_HINTS.get(error.verify_code, "")
    else:
        reason = getattr(error, "reason", None) or ""  # those that a library makes have none
        words, hint = (reason or str(error)).replace("_", " ").lower(), _HINTS.get(reason, "")
    return f"{words}: {hint}" if hint else words
