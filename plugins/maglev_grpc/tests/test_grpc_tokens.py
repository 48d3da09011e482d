"""Files with tokens: both ends read the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from maglev_grpc.tokens import Token, read_tokens

PHRASE = b"correct horse battery staple"
HEX = b"0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    "text,tokens",
    [
        (HEX, [Token(HEX)]),
        (b"\n  \n# made in May\n" + HEX + b"\r\n", [Token(HEX)]),
        (b"  " + PHRASE + b"\t\n", [Token(PHRASE)]),
        (b"alice: " + PHRASE + b"\nbob:\t" + HEX + b"\n", [Token(PHRASE, "alice"), Token(HEX, "bob")]),
        (b"#" + HEX + b"\n" + PHRASE + b" # no comment\n", [Token(PHRASE + b" # no comment")]),
        (b"a:b:" + HEX, [Token(b"a:b:" + HEX)]),
        (b"two words: " + HEX, [Token(b"two words: " + HEX)]),
    ],
)
def test_each_line_is_a_token_perhaps_with_a_name(tmp_path: Path, text: bytes, tokens: list[Token]) -> None:
    path = tmp_path / "tokens"
    path.write_bytes(text)
    assert list(read_tokens(path)) == tokens
    assert "horse" not in repr(read_tokens(path))


@pytest.mark.parametrize(
    "text,complaint",
    [
        (b"", "contains no token"),
        (b"# only this\n\n", "contains no token"),
        (HEX + b"\nalice: short\n", ":2: a token has 16 characters or more"),
        ("# für\nschlüssel-zu-allem".encode(), ":2: a token is printable ASCII"),
        (HEX + b"\0", ":1: a token is printable ASCII"),
    ],
)
def test_what_is_no_token_is_named(tmp_path: Path, text: bytes, complaint: str) -> None:
    path = tmp_path / "tokens"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=complaint):
        read_tokens(path)
