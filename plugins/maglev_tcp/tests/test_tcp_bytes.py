"""Bytes beyond UTF-8: sent, expected, and quoted in what a failure says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.api import Closed, Code, StreamChecker, Target
from maglev.patterns import MOST_SHOWN, MOST_TEXT, compile_pattern, shown
from maglev.testing import Transcript, run_conversation
from maglev.testing.checker_suite import StreamCheckerSuite
from maglev_tcp.checker import TcpChecker
from maglev_tcp.options import TcpOptions

TARGET = Target("a", ip_address("192.0.2.1"), 23)
LATIN1 = "café: ouvert".encode("latin-1")


class TestTelnet(StreamCheckerSuite):
    """A server that speaks in bytes which are no text in any encoding."""

    def make(self) -> StreamChecker:
        return TcpChecker(TcpOptions(send=r"\xff\xfb\x18", expect=r"^\xff\xfd[\x00-\x20]", encoding="latin-1"))

    def passing(self) -> Sequence[bytes]:
        return [b"\xff\xfd\x18", b"\xff\xfd\x00\xff\xfd\x20login: "]

    def failing(self) -> Sequence[bytes]:
        return [b"", b"\xff", b"\xff\xfe\x18", "ÿý\x18".encode()]


class TestLatin1UnderTheDefault(StreamCheckerSuite):
    def make(self) -> StreamChecker:
        return TcpChecker(TcpOptions(expect="caf."))

    def passing(self) -> Sequence[bytes]:
        return [LATIN1, LATIN1[:4], "café".encode(), "caf\u20ac".encode(), b"cafe"]

    def failing(self) -> Sequence[bytes]:
        return [b"caf", b"\xe9"]


def talk(answer: bytes, end: Any = Closed.EOF, **options: Any) -> Transcript:
    return run_conversation(TcpChecker(TcpOptions(**options)).conversations(TARGET)(), [answer] if answer else [], end)


@pytest.mark.parametrize(
    "options,sent",
    [
        ({"send": r"\x00\xff\x80a"}, b"\0\xff\x80a"),
        ({"send": r"\xE9", "encoding": "latin-1"}, b"\xe9"),
        ({"send": r"PING\r\n"}, b"PING\r\n"),
        ({"send": "PING\r\n"}, b"PING\r\n"),
        ({"send": r"a\\x41\t\0"}, b"a\\x41\t\0"),
        ({"send": "é\\xe9"}, b"\xc3\xa9\xe9"),
        ({"send": "é\u00ff", "encoding": "latin-1"}, b"\xe9\xff"),
        ({"send_hex": "16 03 01\nFf"}, b"\x16\x03\x01\xff"),
        ({"send_hex": "160301ff"}, b"\x16\x03\x01\xff"),
    ],
    ids=str,
)
def test_any_bytes_can_be_sent(options: dict[str, Any], sent: bytes) -> None:
    assert talk(b"x", expect="x", **options).all_sent == sent


@pytest.mark.parametrize(
    "options,words",
    [
        ({"send": r"\x4"}, r"no escape"),
        ({"send": r"\xgg"}, r"no escape"),
        ({"send": "\\"}, r"no escape"),
        ({"send": r"\q"}, r"no escape"),
        ({"send": "\u20ac", "encoding": "latin-1"}, "has a character that latin-1 has not"),
        ({"send": "\ud800"}, "has a character that utf-8 has not"),
        ({"expect": "\u20ac", "encoding": "latin-1"}, "has a character that latin-1 has not"),
        ({"expect": "\ud800"}, "has a character that utf-8 has not"),
        ({"send_hex": "1"}, "two hexadecimal digits"),
        ({"send_hex": "0x16"}, "two hexadecimal digits"),
        ({"send": "a", "send_hex": "61"}, "both set"),
    ],
    ids=str,
)
def test_what_cannot_be_sent_or_expected_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TcpChecker(TcpOptions(**options))


@given(st.binary(min_size=1, max_size=40))
def test_every_byte_string_can_be_sent_and_expected(sent: bytes) -> None:
    escaped = "".join(f"\\x{byte:02x}" for byte in sent)
    for options in ({"send": escaped}, {"send_hex": sent.hex()}):
        checked = talk(sent, expect=f"^{escaped}$", encoding="latin-1", **options)
        assert (checked.all_sent, checked.result.code) == (sent, Code.L7OK)


@pytest.mark.parametrize(
    "pattern,text,encoding,found",
    [
        ("caf.:", LATIN1, "utf-8", True),
        ("café:", LATIN1, "utf-8", True),
        ("café:", LATIN1, "latin-1", True),
        (r"caf\xe9:", LATIN1, "latin-1", True),
        ("café:", "café:".encode(), "utf-8", True),
        ("caf.:", "café:".encode(), "utf-8", True),
        ("caf.:", "café:".encode(), "latin-1", False),  # two characters there
        (r"^\xc3\xa9$", "é".encode(), "latin-1", True),
        (r"^\xc3", "é".encode(), "utf-8", False),  # it is no Ã
        ("grüß", b"\xff\x00" + "grüß".encode(), "utf-8", True),
        (r"\xff\x00", b"\xff\x00" + "grüß".encode(), "utf-8", True),
        ("€", b"\xa4", "utf-8", False),
        ("[^a]", b"\xff", "utf-8", True),
        ("[Éé]", b"\xe9", "utf-8", True),
        ("^OK$", b"OK\n", "utf-8", False),
        (r"^OK\n?$", b"OK\n", "utf-8", True),
        ("(?m)^OK$", b"a\nOK\nb", "utf-8", True),
    ],
    ids=str,
)
def test_patterns_match_characters_and_else_bytes(pattern: str, text: bytes, encoding: Any, found: bool) -> None:
    assert compile_pattern(pattern, "expect", encoding).search(text) is found


def test_half_a_character_at_the_end_is_waited_for() -> None:
    pattern = compile_pattern(r"\xc3", "expect")
    assert not pattern.search(b"\xc3", whole=False)
    assert pattern.search(b"\xc3")


def test_pattern_is_bounded_by_what_both_readings_take() -> None:
    compile_pattern("x.{40}y", "expect", "latin-1")
    with pytest.raises(ValueError, match=r"at most 200 are allowed.*latin-1 it takes fewer"):
        compile_pattern("x.{20}y", "expect")


@given(st.binary(max_size=200))
def test_what_is_quoted_is_short_and_safe_anywhere(text: bytes) -> None:
    quoted = shown(text)
    assert len(quoted) <= MOST_SHOWN + len('"" and more')
    assert quoted.isascii()
    assert quoted.isprintable()
    assert json.loads(json.dumps(quoted)) == quoted


@given(st.binary(min_size=1, max_size=16))
def test_what_is_quoted_can_be_copied_into_a_pattern(text: bytes) -> None:
    assert talk(b"-", send=shown(text)[1:-1].replace('\\"', '"'), expect="-").all_sent == text


@pytest.mark.parametrize(
    "answer,end,code,words",
    [
        (b"-ERR \x1b[31m\r\n", Closed.EOF, Code.L7RSP, r'closed by the peer, .*: "-ERR \x1b[31m\r\n"'),
        (b"-ERR", Closed.RESET, Code.L7RSP, 'reset by the peer, and its answer does not match expect: "-ERR"'),
        ("\u202e".encode(), None, Code.L7TOUT, r'no answer that matches expect in time: "\xe2\x80\xae"'),
        (b"x" * MOST_TEXT, None, Code.L7RSP, f'nothing in the first 64 KiB matches expect: "{"x" * 64}" and more'),
    ],
    ids=["closed", "reset", "late", "flood"],
)
def test_failure_says_what_came(answer: bytes, end: Closed | None, code: Code, words: str) -> None:
    result = talk(answer, end, expect="PONG").result
    assert result.code is code
    before, _, after = words.partition(".*")
    assert result.detail.startswith(before)
    assert result.detail.endswith(after)
