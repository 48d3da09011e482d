"""Decides the type of a plain scalar in YAML, more strictly than YAML 1.1.

`no` is no boolean, `012` no octal number, `1:30` no number to base sixty and `2026-01-01` no date: each is a string,
and the check of its type then says what should stand there. A number with an exponent is one in the form that all
versions of YAML agree on (`1.0e+3`); `1e3`, which is a number to some and a string to others, is a string.
"""

from __future__ import annotations

import math
import re

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,29})")
_DECIMAL = re.compile(r"(?:[-+]?(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?")
_FIRST_OF_NUMBER = frozenset("+-.0123456789")

Scalar = str | int | float | bool | None


def resolve(text: str) -> Scalar:
    """Tell what a plain (unquoted) scalar stands for."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _FIRST_OF_NUMBER:
        return text
    if _WHOLE.fullmatch(text):
        return int(text)
    return _decimal(text)


def _decimal(text: str) -> str | float:
    value = float(text) if _DECIMAL.fullmatch(text) else math.inf
    return value if math.isfinite(value) else text
