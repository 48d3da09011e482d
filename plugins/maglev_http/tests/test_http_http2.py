"""The conversation over HTTP/2, frame by frame, without sockets."""

from __future__ import annotations

from collections.abc import Iterable

import hpack
import hyperframe.frame as frames
import pytest

from maglev.api import Closed, Code, ProbeResult
from maglev.testing import run_conversation, split_at
from maglev_http.http2 import Http2Conversation
from maglev_http.options import HttpOptions
from maglev_http.verdicts import Verdicts
from plugins.maglev_http.tests.http2_frames import SETTINGS, body, go_away, head


def talk(
    answer: bytes | Iterable[bytes], pattern: str = "", end: Closed | None = Closed.EOF, *, follow: bool = False
) -> ProbeResult:
    options = HttpOptions(response_regexp=pattern)
    headers = [(b"Host", b"a.example"), (b"TE", b"gzip"), (b"X-A", b"b")]
    conversation = Http2Conversation(b"GET", b"http", b"a.example", b"/", headers, Verdicts(options), follow=follow)
    return run_conversation(conversation, answer, end).result


@pytest.mark.parametrize(
    "answer,pattern",
    [
        (head(end=True), ""),
        (head(), ""),
        (head() + body(b"ok"), "^ok$"),
        (head(("content-length", "2"), ("content-length", "2")) + body(b"o", end=False) + body(b"k"), "^ok$"),
        (head() + body(b"x" * 16_000, end=False) * 4 + body(b"x" * 1536, end=False), "^x"),
        (head(status="103") + head(status="103") + head() + body(b"ok"), "^ok$"),
        (head(end=True), "^$"),
        (go_away(2**31 - 1) + go_away(1) + head() + go_away(1) + body(b"ok"), "^ok$"),
    ],
    ids=["no-body", "status-only", "body", "length-twice", "long", "interim", "empty", "leaving"],
)
def test_good_answers_pass_in_any_pieces(answer: bytes, pattern: str) -> None:
    assert talk(SETTINGS + answer, pattern, None).code is Code.L7OK
    assert talk(split_at(SETTINGS + answer, range(1, 60)), pattern, None).code is Code.L7OK


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"\xff" * 100,
        head(status=None) + body(b"ok"),
        head(status="abc") + body(b"ok"),
        head(status="20") + body(b"ok"),
        head(("x", "y"), (":status", "200")) + body(b"ok"),
        head(("content-length", "2"), ("content-length", "3")) + body(b"ok"),
        head(("content-length", "two")) + body(b"ok"),
        head(("content-length", "9")) + body(b"ok"),
        head() + body(b"ko"),
        head() + body(b"ok", end=False),
        head() + body(b"ok", end=False) + frames.RstStreamFrame(1, error_code=2).serialize(),
        frames.RstStreamFrame(1, error_code=7).serialize(),
        go_away(0),
        go_away(1, 11),
        go_away(1),
        head(status="103") * 9 + head() + body(b"ok"),
        frames.PingFrame(0, b"12345678").serialize() * 70_000,
        frames.PushPromiseFrame(1, 2, hpack.Encoder().encode([(":path", "/")]), flags=["END_HEADERS"]).serialize(),
        frames.DataFrame(1, b"ok").serialize(),
        head(("x", "y" * 70_000)),
        head(status="503") + body(b"ok"),
        head(status="301") + body(b"ok"),
    ],
    ids=range(24),
)
def test_bad_answers_fail(answer: bytes) -> None:
    result = talk(SETTINGS + answer if answer else answer, "ok")
    assert result.code is (
        Code.L7STS if result.detail.startswith("status ") and "wanted" in result.detail else Code.L7RSP
    )
    assert not result.ok
    assert "cannot be read" not in result.detail


@pytest.mark.parametrize("junk", [b"HTTP/1.1 200 OK\r\n\r\nok", b"SSH-2.0-x\r\n", body(b"ok"), b"\0\0\x08\x06"])
def test_what_is_not_http2_fails_at_once_though_it_holds_on(junk: bytes) -> None:
    result = talk([junk], end=None)
    assert (result.code, result.detail) == (Code.L7RSP, "broke the protocol: not HTTP/2, or not as it should be")


@pytest.mark.parametrize("said,words", [([], "no answer in time"), ([SETTINGS], "no complete answer in time")])
def test_a_time_out_says_what_it_waited_for(said: list[bytes], words: str) -> None:
    result = talk(said, end=None)
    assert result.code is Code.L7TOUT
    assert words in result.detail


def test_a_redirect_ends_it_only_where_it_is_to_be_followed() -> None:
    answer = SETTINGS + head(("location", "/x"), status="302", end=True)
    assert talk(answer).detail.startswith("status 302")
    assert talk(answer, follow=True).detail == "a redirect"
