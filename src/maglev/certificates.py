"""Reads when a certificate ends, without a library for certificates.

This one field is all that is wanted, and `cryptography` costs 95 ms to import (on the loop, or at every start), 11 MB
of memory and 17 MB of disk for it. The `ssl` module reads only certificates that it has verified, and says nothing of
what `insecure-skip-verify` accepted. The tests compare this reader with `cryptography`.
"""

from __future__ import annotations

from datetime import UTC, datetime

_SEQUENCE, _INTEGER, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0x02, 0xA0, 0x17, 0x18
_TIMES = (_UTC_TIME, _GENERALIZED_TIME)
_FIRST_YEAR = 1950
"""A UTCTime has two digits for its year, which is one from 1950 to 2049 (RFC 5280, section 4.1.2.5.1)."""


def not_after_s(der: bytes) -> float | None:
    """Return the end of a certificate, as POSIX time in seconds (its `notAfter`: RFC 5280, section 4.1).

    Args:
        der: The certificate, in DER.

    Returns:
        `None` if it cannot be read: whether that matters is for the TLS library to judge. Nothing is raised.
    """
    try:
        return _not_after(der).timestamp()
    except (ValueError, OverflowError):
        return None


def _not_after(der: bytes) -> datetime:
    certificate, _ = _take(der, _SEQUENCE)
    fields, _ = _take(certificate, _SEQUENCE)
    if fields[:1] == bytes((_VERSION,)):
        _, fields = _take(fields, _VERSION)
    for tag in (_INTEGER, _SEQUENCE, _SEQUENCE):  # the serial number, the algorithm of the signature, the issuer
        _, fields = _take(fields, tag)
    validity, _ = _take(fields, _SEQUENCE)
    _, validity = _take(validity, *_TIMES)
    tag = validity[0] if validity else 0
    text, _ = _take(validity, *_TIMES)
    return _time(tag, text.decode("ascii"))


def _time(tag: int, text: str) -> datetime:
    digits, zone = text[:-1], text[-1:]
    if tag == _UTC_TIME and len(digits) == len("YYMMDDHHMMSS"):
        digits = f"{_FIRST_YEAR + (int(digits[:2]) - _FIRST_YEAR) % 100}{digits[2:]}"
    if len(digits) != len("YYYYMMDDHHMMSS") or not digits.isdigit() or zone != "Z":
        raise ValueError(f"{text} is not the time of a certificate")
    month, day, hour, minute, second = (int(digits[at : at + 2]) for at in range(4, 14, 2))
    return datetime(int(digits[:4]), month, day, hour, minute, second, tzinfo=UTC)


def _take(data: bytes, *tags: int) -> tuple[bytes, bytes]:
    """Take the element that data begins with.

    Returns:
        Its contents, and what follows it.

    Raises:
        ValueError: It has another tag, or is cut short.
    """
    if len(data) < 2 or data[0] not in tags:
        raise ValueError("not the element that was wanted")
    start, length = 2, data[1]
    if length >= 0x80:  # the long form: so many bytes of length follow
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    end = start + length
    if end > len(data):
        raise ValueError("cut short")
    return data[start:end], data[end:]
