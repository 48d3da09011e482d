"""Files with tokens: what server and client read is the same."""

from __future__ import annotations

import re
from pathlib import Path

import attrs

from maglev.serving import read_file

SHORTEST = 16
"""Characters of a token."""
UNNAMED = "token"
"""Who sends a token without a name, in the audit record."""

_LINE = re.compile(rb"(?:(?P<name>[A-Za-z0-9][A-Za-z0-9._@-]{0,63}):[ \t]+)?(?P<token>\S.*)")


@attrs.frozen
class Token:
    """One token.

    Args:
        value: What is sent; never shown.
        name: Whose it is.
    """

    value: bytes = attrs.field(repr=False)
    name: str = UNNAMED


def read_tokens(path: Path) -> tuple[Token, ...]:
    """Read a file of tokens; blocks.

    Each line is a token, or a name, a colon, a blank and a token. Blanks at both ends do not count; blank lines and
    those that begin with `#` are none.

    Raises:
        ValueError: It cannot be read, or has no token or one that is too short or not printable ASCII; says which line.
    """
    tokens = []
    for number, raw in enumerate(read_file(path).splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith(b"#"):
            continue
        match = _LINE.fullmatch(line)
        value = match["token"] if match else line
        if not all(32 <= byte < 127 for byte in value):
            raise ValueError(f"{path}:{number}: a token is printable ASCII")
        if len(value) < SHORTEST:
            raise ValueError(f"{path}:{number}: a token has {SHORTEST} characters or more")
        name = match["name"] if match else None
        tokens.append(Token(value, name.decode() if name else UNNAMED))
    if not tokens:
        raise ValueError(f"{path}: contains no token")
    return tuple(tokens)
