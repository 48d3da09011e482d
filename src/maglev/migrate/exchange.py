"""Writes what a `tcp` check sends and expects: text with escapes, and RE2 patterns."""

from __future__ import annotations

import re
from typing import Any

_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_NAMED = {"\r": r"\r", "\n": r"\n", "\t": r"\t", "\\": r"\\"}
_QUERY_ID = b"\x9a\xbc"
_RECORD_TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28}
_LONGEST_LABEL, _LONGEST_NAME = 63, 253  # RFC 1035, section 2.3.4

GREETED_BY_SMTP = {"expect": "^220[ -]"}
"""A mail server's greeting (RFC 5321, section 4.2)."""


def to_send(data: bytes) -> str:
    """Write bytes as the option `send` of `tcp` reads them."""
    return "".join(
        _NAMED.get(chr(byte), chr(byte)) if 32 <= byte < 127 or chr(byte) in _NAMED else f"\\x{byte:02x}"
        for byte in data
    )


def pattern_of(data: bytes | str) -> str:
    """Write a pattern that matches just this; of bytes one for `encoding: latin-1`."""
    if isinstance(data, str):
        return _SPECIAL.sub(lambda found: f"\\{found[0]}", data)
    return "".join(pattern_of(chr(byte)) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in data)


def dns_query(name: str, record: str) -> dict[str, Any] | None:
    """Return params that ask a name server over TCP for a record, and want an answer without an error.

    The message has its length before it (RFC 1035, section 4.2.2). Of the answer the identifier, the bit that makes it
    one (QR) and the code (RCODE 0) are judged.

    Args:
        name: The domain; empty or `.` for the root.
        record: The type of the record, `SOA` for example.

    Returns:
        `None` if there is no such type or name.
    """
    kind = _RECORD_TYPES.get(record.upper())
    labels = [label.encode("ascii", "replace") for label in name.strip(".").split(".") if label]
    if kind is None or len(name) > _LONGEST_NAME or any(len(label) > _LONGEST_LABEL for label in labels):
        return None
    question = b"".join(bytes([len(label)]) + label for label in labels) + b"\0" + kind.to_bytes(2, "big") + b"\0\1"
    message = _QUERY_ID + b"\x01\x00\x00\x01\0\0\0\0\0\0" + question
    no_error = "".join(f"\\x{high:x}0" for high in range(16))
    return {
        "send-hex": (len(message).to_bytes(2, "big") + message).hex(" "),
        "expect": f"(?s)^..{pattern_of(_QUERY_ID)}[\\x80-\\xff][{no_error}]",
        "encoding": "latin-1",
    }
