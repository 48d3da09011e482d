"""The bytes to send, of text with escapes or of hexadecimal digits."""

from __future__ import annotations

import re

from maglev.patterns import Encoding

_PART = re.compile(r"\\x([0-9A-Fa-f]{2})|\\([\\nrt0])|([^\\]+)|(\\.{0,3})", re.DOTALL)
_NAMED = {"\\": b"\\", "n": b"\n", "r": b"\r", "t": b"\t", "0": b"\0"}


def text_bytes(text: str, encoding: Encoding) -> bytes:
    r"""Encode text in which `\xNN` stands for a byte, and `\r`, `\n`, `\t`, `\0`, `\\` for what they are in C.

    Raises:
        ValueError: It has another backslash, or a character that the encoding has not.
    """
    sent = b""
    # What is wrong is not quoted: the text may be a password.
    for part in _PART.finditer(text):
        number, name, plain, wrong = part.groups()
        if wrong:
            raise ValueError(
                f"send has a backslash at character {part.start() + 1} that begins no escape: "
                r"\xNN, \r, \n, \t, \0 and \\ are, NN two hexadecimal digits"
            )
        try:
            sent += bytes.fromhex(number) if number else _NAMED[name] if name else plain.encode(encoding)
        except UnicodeEncodeError as error:
            at = part.start() + error.start + 1
            raise ValueError(f"send has a character that {encoding} has not, at {at}") from None
    return sent


def hex_bytes(digits: str) -> bytes:
    """Read bytes of two hexadecimal digits each, with blanks between them or not.

    Raises:
        ValueError: They are none.
    """
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise ValueError("send-hex needs two hexadecimal digits per byte, such as 16 03 01") from None
