"""`http` judges answers correctly, without sockets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import Any

import pytest

from maglev.api import Closed, Code, StreamChecker, Target
from maglev.testing import Transcript, run_conversation, split_at
from maglev.testing.checker_suite import StreamCheckerSuite
from maglev_http.checkers import HttpChecker
from maglev_http.options import HttpOptions
from maglev_http.verdicts import Verdicts

TARGET = Target("a", ip_address("192.0.2.1"), 80)
KIB64 = 65_536


def talk(options: HttpOptions, answer: bytes | Iterable[bytes], end: Closed | None = Closed.EOF) -> Transcript:
    return run_conversation(HttpChecker(options).conversations(TARGET)(), answer, end)


def ok(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", *headers, b"", body])


def chunks(*parts: bytes) -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return ok(body + b"0\r\n\r\n", b"Transfer-Encoding: chunked")


GOOD_HEADS = [
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.0 204\r\n\r\n",
    b"HTTP/1.1 200 \r\nServer: x\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n",
    b"HTTP/1.1 200 OK\nServer: x\n\n",
    b"HTTP/1.1 200 OK\r\nServer: x\n\nbody\r\n\r\n",
    b"HTTP/1.0 200 OK\nServer: x\r\n\r\n",
    b"HTTP/1.1 200\n\r\n",
    b"HTTP/1.2 200 OK\r\n\r\n",
    b"HTTP/1.9 200 OK\r\n\r\n",
    b"HTTP/1.1  200  OK\r\n\r\n",
    b"HTTP/1.1 \t200\t\r\n\r\n",
    b"\r\nHTTP/1.1 200 OK\r\n\r\n",
    b"\n\r\nHTTP/1.1 100 Continue\n\n\nHTTP/1.1 200 OK\n\n",
    ok(b"", b"Server: x", b"\ty", b"  z"),
    ok(b"", b"Content-Length:", b" 0"),
    ok(b"", b"X-Content-Length: a", b"Content-Length: 0", b"X-Content-Length: b"),
    ok(b"ok\nContent-Length: 5\r\n\r\n", b"Content-Length: 24"),
    # Nobody reads the body: what stands in these lines does not matter.
    ok(b"", b"Server : x"),
    ok(b"", b"no colon"),
    ok(b"", b"X: \0"),
]
BAD_HEADS = [
    b"",
    b"HTTP/1.1 503 Service Unavailable\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nServer: x\r\n",
    b"HTTP/1.1 200 OK\nServer: x\n",
    b"HTTP/2 200\r\n\r\n",
    b"HTTP/1.1 099 No\r\n\r\n",
    b"HTTP/1.1 2000 No\r\n\r\n",
    b"HTTP/1.1200 OK\r\n\r\n",
    b" HTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 200\rOK\r\n\r\n",
    b"HTTP/1.1 200 O\rK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\r\nServer: x\r\n\r\n",
    b"HTTP/1.12 200 OK\r\n\r\n",
    b"\rHTTP/1.1 200 OK\r\n\r\n",
    b"\r\n" * 40_000 + b"HTTP/1.1 200 OK\r\n\r\n",
    ok(b"ok", b"Content-Length: 2", b"Content-Length: 3"),
    ok(b"ok", b"Content-Length: 2", b"content-length : 3"),
    ok(b"ok", b"Content-Length: 2, 3"),
    ok(b"ok", b"Content-Length: 2", b" 3"),
    ok(b"ok", b"Content-Length: two"),
    ok(b"ok", b"Content-Length:"),
    b"HTTP/1.1 200 OK\nContent-Length: 2\nContent-Length: 3\n\nok",
    b"SSH-2.0-x\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 9 + b"HTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"x" * KIB64 + b"\r\n\r\n",
    b"HTTP/1.1 200 " + b"x" * KIB64,
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
]
GOOD_BODIES = [
    ok(b"ok then", b"Content-Length: 7"),
    ok(b"ok then, and too much", b"Content-Length: 7"),
    ok(b"ok then", b"content-length:  7 \t", b"Content-Length: 7, 7"),
    ok(b"ok until the end"),
    chunks(b"o", b"k", b" then"),
    ok(b"2 \r\nok\r\n0;last=yes\r\nTrailer: x\r\n\r\n", b"transfer-encoding: Chunked"),
    ok(b"0002;a=b;c\r\nok\r\n00\r\n", b"Transfer-Encoding: chunked"),
    ok(b"ok" + b"x" * KIB64, b"Content-Length: 1073741824"),
    ok(b"fffffffffffffff\r\nok" + b"x" * KIB64, b"Transfer-Encoding: chunked"),
    chunks(b"ok", b"x" * 40_000, b"x" * 40_000),
    ok(b"ok", b"Content-Length: 2", b"X-A: b", b"  c"),
    ok(b"ok", b"X-A:", b"\tb", b" ", b" c", b"Content-Length:", b" 2"),
    ok(b"2\r\nok\r\n0\r\n\r\n", b"Transfer-Encoding:", b" chunked"),
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\n\nok",
    b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\r\nok\r\n0\r\n\r\n",
    b"\nHTTP/1.3  200\nX: a\n b\n\nok",
]
BAD_BODIES = [
    ok(b"ko", b"Content-Length: 2"),
    ok(b"ok th", b"Content-Length: 7"),
    ok(b"ok", b"Content-Length: 2", b"Content-Length: 3"),
    ok(b"ok", b"Content-Length: 2, 3"),
    ok(b"ok", b"Content-Length: 2", b"Transfer-Encoding: chunked"),
    ok(b"ok", b"Content-Length: -2"),
    ok(b"ok", b"Content-Length: +2"),
    ok(b"ok", b"Content-Length: 0x2"),
    ok(b"ok", b"Content-Length:"),
    ok(b"ok", b"Content-Length: " + b"9" * 5000),
    ok(b"ok", b"Content-Length : 2"),
    ok(b"ok", b" X: a continuation of nothing", b"Content-Length: 2"),
    ok(b"ok", b"X: a\rb"),
    b"HTTP/1.1 200 OK\nX: a\r\r\n\nok",
    ok(b"ok", b"Content-Length: 2", b" 2"),
    b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nok\n0\n\n",
    ok(b"ok", b"no colon"),
    ok(b"ok", b"X: \0"),
    ok(b"ok", b"Transfer-Encoding: gzip, chunked"),
    ok(b"ok", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    chunks(b"ok").replace(b"1.1", b"1.0"),
    ok(b"1\r\nok\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"),
    ok(b"3\r\nok\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"),
    ok(b"2\nok\n0\n\n", b"Transfer-Encoding: chunked"),
    ok(b"-2\r\nok\r\n", b"Transfer-Encoding: chunked"),
    ok(b"0x2\r\nok\r\n", b"Transfer-Encoding: chunked"),
    ok(b"\r\nok\r\n", b"Transfer-Encoding: chunked"),
    ok(b"1" * 17 + b"\r\nok", b"Transfer-Encoding: chunked"),
    ok(b"2;" + b"x" * 5000 + b"\r\nok\r\n0\r\n", b"Transfer-Encoding: chunked"),
    ok(b"ok" + b"\r\n" + b"1;" + b"x" * 4000, b"Transfer-Encoding: chunked"),
    ok((b"1;" + b"x" * 4000 + b"\r\no\r\n") * 140, b"Transfer-Encoding: chunked"),
    chunks(b"x" * 70_000, b"ok"),
    ok(b"x" * KIB64 + b"ok"),
    b"HTTP/1.1 204 No Content\r\n\r\nok",
]


class TestStatus(StreamCheckerSuite):
    def make(self) -> StreamChecker:
        return HttpChecker(HttpOptions())

    def passing(self) -> Sequence[bytes]:
        return GOOD_HEADS

    def failing(self) -> Sequence[bytes]:
        return BAD_HEADS


class TestBody(StreamCheckerSuite):
    def make(self) -> StreamChecker:
        return HttpChecker(HttpOptions(response_regexp="ok"))

    def passing(self) -> Sequence[bytes]:
        return GOOD_BODIES

    def failing(self) -> Sequence[bytes]:
        return BAD_HEADS + BAD_BODIES


@pytest.mark.parametrize("answer", GOOD_HEADS + BAD_HEADS, ids=range(len(GOOD_HEADS + BAD_HEADS)))
def test_a_status_met_before_changes_no_verdict(answer: bytes) -> None:
    checker = HttpChecker(HttpOptions())
    start = checker.conversations(TARGET)
    fresh = run_conversation(start(), answer).result
    for met in GOOD_HEADS + BAD_HEADS:
        run_conversation(start(), met)
    assert run_conversation(start(), answer).result == fresh
    assert run_conversation(start(), split_at(answer, [1])).result == fresh


def test_results_are_built_once() -> None:
    start = HttpChecker(HttpOptions()).conversations(TARGET)
    first = run_conversation(start(), GOOD_HEADS[0]).result
    assert run_conversation(start(), GOOD_HEADS[0]).result is first


@pytest.mark.parametrize("pattern", ["", "ok"])
@pytest.mark.parametrize("status", [200, 302, 404, 500])
@pytest.mark.parametrize("wanted", ["200-299", "404,500", 302])
def test_status_decides(pattern: str, status: int, wanted: int | str) -> None:
    options = HttpOptions(response_code=wanted, response_regexp=pattern)
    result = talk(options, b"HTTP/1.1 %d x\r\nContent-Length: 2\r\n\r\nok" % status).result
    passes = {"200-299": status == 200, "404,500": status >= 404, 302: status == 302}[wanted]
    assert result.code is (Code.L7OK if passes else Code.L7STS)
    assert f"status {status}" in result.detail


def test_wrong_status_names_what_was_wanted() -> None:
    detail = talk(HttpOptions(), BAD_HEADS[1]).result.detail
    assert detail == "status 503 Service Unavailable, wanted 200-299"


def test_the_peers_own_words_are_never_shown() -> None:
    for answer in (
        b"HTTP/1.1 500 evil\x1b[2J\r\n\r\n",
        b"evil\x1b[2J",
        ok(b"evil", b"evil\x1b: x", b"Content-Length: evil"),
    ):
        for pattern in ("", "ok"):
            detail = talk(HttpOptions(response_regexp=pattern), answer).result.detail
            assert detail.isprintable()
            assert "evil" not in detail


def test_without_a_pattern_the_body_is_not_waited_for() -> None:
    pieces = [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n", b"\r\n", b"body"]
    assert talk(HttpOptions(), pieces, end=None).unread == 1


def test_no_more_of_a_body_is_read_than_can_matter() -> None:
    dialogue = talk(HttpOptions(response_regexp="^x"), [ok(b""), *[b"x" * 8192] * 20], end=None)
    assert (dialogue.result.code, dialogue.unread) == (Code.L7OK, 12)


def test_wrong_status_is_judged_without_its_body() -> None:
    dialogue = talk(
        HttpOptions(response_regexp="ok"), [b"HTTP/1.1 500 x\r\nContent-Length: 9\r\n\r\n", b"ok"], end=None
    )
    assert (dialogue.result.code, dialogue.unread) == (Code.L7STS, 1)


@pytest.mark.parametrize("head", [b"HTTP/1.1 204 x\r\n\r\n", b"HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n"])
def test_status_without_a_body_is_matched_with_nothing_at_once(head: bytes) -> None:
    options = HttpOptions(response_code="204,304", response_regexp="^$")
    assert talk(options, head, end=None).result.code is Code.L7OK


def test_head_request_has_no_body_to_wait_for() -> None:
    options = HttpOptions(method="HEAD", response_regexp="^$")
    assert talk(options, ok(b"", b"Content-Length: 5"), end=None).result.code is Code.L7OK


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|aa)+$b", "(a|a?)+b", "(.*)*=(.*)*"])
def test_pattern_made_to_backtrack_takes_one_pass(pattern: str) -> None:
    result = talk(HttpOptions(response_regexp=pattern), ok(b"a" * KIB64, b"Content-Length: 65536")).result
    assert result.code is Code.L7RSP
    assert "response-regexp" in result.detail


@pytest.mark.parametrize("pattern", ["", "ok"])
@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/2",
        b"<",
        b"\rH",
        b"HTTP/1.1 20 ",
        b"HTTP/1.1 2000",
        b"HTTP/1.1 0",
        b"HTTP/1.10",
        b"HTTP/1.1\n",
        b"HTTP/1.1 200 OK\rServer",
        b"\r\n\x00",
    ],
)
def test_a_wrong_head_says_so_before_it_has_ended(pattern: str, said: bytes) -> None:
    result = talk(HttpOptions(response_regexp=pattern), said, end=None).result
    assert result.code is Code.L7RSP
    assert result.detail in (
        "broke the protocol: the answer is not HTTP/1",
        "broke the protocol: the status line is malformed",
    )


@pytest.mark.parametrize("pattern", ["", "ok"])
@pytest.mark.parametrize(
    "said,words",
    [
        ([], "no answer in time"),
        ([b"HTTP/1.1 1"], "head was not complete"),
        ([b"HTTP/1.1 100 x\r\n\r\n"], "head was not complete"),
    ],
)
def test_time_out_says_what_it_waited_for(pattern: str, said: list[bytes], words: str) -> None:
    result = talk(HttpOptions(response_regexp=pattern), said, end=None).result
    assert result.code is Code.L7TOUT
    assert words in result.detail


@pytest.mark.parametrize(
    "answer,words",
    [
        (ok(b"ok", b"Content-Length: 9"), "after 2 of 9 bytes of the body"),
        (ok(b"ok"), "after 2 bytes of the body"),
        (ok(b"9\r\nok", b"Transfer-Encoding: chunked"), "after 2 bytes of the body"),
    ],
)
def test_an_incomplete_body_says_how_far_it_came(answer: bytes, words: str) -> None:
    options = HttpOptions(response_regexp="ok")
    late, cut_off = talk(options, answer, end=None).result, talk(options, answer, end=Closed.RESET).result
    assert (late.code, cut_off.code) == (Code.L7TOUT, Code.L7RSP)
    assert words in late.detail
    assert words in cut_off.detail


@pytest.mark.parametrize(
    "pattern,body,encoding,code",
    [
        ("caf.", "le café".encode("latin-1"), "utf-8", Code.L7OK),
        ("café$", "le café".encode("latin-1"), "utf-8", Code.L7OK),
        (r"caf\xe9$", "le café".encode("latin-1"), "latin-1", Code.L7OK),
        ("café$", "le café".encode(), "utf-8", Code.L7OK),
        ("café$", "le café".encode(), "latin-1", Code.L7RSP),
        ("^caf[^x]$", "cafй".encode("utf-16"), "utf-8", Code.L7RSP),
        (r"\x1f\x8b", b"\x1f\x8b\x08\0", "latin-1", Code.L7OK),
    ],
    ids=str,
)
def test_body_in_another_encoding_is_matched(pattern: str, body: bytes, encoding: Any, code: Code) -> None:
    options = HttpOptions(response_regexp=pattern, encoding=encoding)
    assert talk(options, ok(body, b"Content-Length: %d" % len(body))).result.code is code


def test_body_that_does_not_match_is_quoted_shortly_and_safely() -> None:
    secret = b"s" * 100
    result = talk(HttpOptions(response_regexp="^OK$"), ok(b'OK\n\x1b[2J"\xff' + secret)).result
    assert result.detail == (
        r'status 200, but the body does not match response-regexp: "OK\n\x1b[2J\"\xff' + "s" * 47 + '" and more'
    )
    assert talk(HttpOptions(response_regexp="x"), ok(b"")).result.detail.endswith(": nothing")


def test_a_server_that_repeats_a_token_does_not_bring_it_into_the_detail() -> None:
    options = HttpOptions(path="/?t=hunter2-q", headers={"Authorization": "Bearer hunter2-h"}, response_regexp="^fine")
    done = Verdicts(options).of_content(200, b"no access with Bearer hunter2-h and t=hunter2-q")
    assert "no access" in done.result.detail
    assert "hunter2" not in done.result.detail
