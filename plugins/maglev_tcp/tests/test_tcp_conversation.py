"""`tcp` sends its data and judges answers correctly, without sockets."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from maglev.api import Closed, Code, StreamChecker, Target
from maglev.patterns import MOST_TEXT
from maglev.testing import Transcript, run_conversation, split_at
from maglev.testing.checker_suite import StreamCheckerSuite
from maglev_tcp.checker import TcpChecker
from maglev_tcp.expect import EAGER
from maglev_tcp.options import TcpOptions

TARGET = Target("a", ip_address("192.0.2.1"), 6379)


class TestPingPong(StreamCheckerSuite):
    def make(self) -> StreamChecker:
        return TcpChecker(TcpOptions(send="PING\r\n", expect=r"^\+PONG"))

    def passing(self) -> Sequence[bytes]:
        return [b"+PONG\r\n", b"+PONG", b"+PONG\r\n" * 2000]

    def failing(self) -> Sequence[bytes]:
        return [b"-ERR\r\n", b"", b"\xff" * MOST_TEXT, b"-" * EAGER + b"+PONG"]


class TestBanner(StreamCheckerSuite):
    def make(self) -> StreamChecker:
        return TcpChecker(TcpOptions(expect="SSH-2"))

    def passing(self) -> Sequence[bytes]:
        return [b"SSH-2.0-x\r\n", b"x" * 70 + b"SSH-2"]


class TestConnect(StreamCheckerSuite):
    def make(self) -> StreamChecker:
        return TcpChecker(TcpOptions())

    def passing(self) -> Sequence[bytes]:
        return [b"", b"anything"]


def talk(options: TcpOptions, *answer: bytes, end: Closed | None = Closed.EOF) -> Transcript:
    return run_conversation(TcpChecker(options).conversations(TARGET)(), answer, end)


def test_being_connected_is_enough_where_nothing_is_asked() -> None:
    assert talk(TcpOptions()).result.code is Code.L4OK


def test_a_handshake_is_enough_where_only_tls_is_asked() -> None:
    assert talk(TcpOptions(ssl=True)).result.code is Code.L6OK


def test_send_alone_is_said_in_parting() -> None:
    dialogue = talk(TcpOptions(send="QUIT\r\n"))
    assert (dialogue.last_send, dialogue.result.code) == (b"QUIT\r\n", Code.L4OK)


def test_send_is_utf8() -> None:
    assert talk(TcpOptions(send="grüß\r\n", expect="x")).all_sent == "grüß\r\n".encode()


@pytest.mark.parametrize(
    "answer,end,code",
    [
        (b"+PONG", None, Code.L7OK),
        (b"-ERR", None, Code.L7TOUT),
        (b"", None, Code.L7TOUT),
        (b"-ERR", Closed.EOF, Code.L7RSP),
        (b"", Closed.EOF, Code.L7RSP),
        (b"-ERR", Closed.RESET, Code.L7RSP),
    ],
)
def test_every_end_has_its_code(answer: bytes, end: Closed | None, code: Code) -> None:
    assert talk(TcpOptions(send="PING\r\n", expect=r"^\+PONG"), answer, end=end).result.code is code


def test_silence_and_a_wrong_answer_are_told_apart() -> None:
    options = TcpOptions(expect="x")
    details = {talk(options, *answer, end=end).result.detail for answer in ([], [b"y"]) for end in (None, *Closed)}
    assert len(details) == 6


def test_an_answer_matches_as_soon_as_it_is_there() -> None:
    assert talk(TcpOptions(expect="PONG"), b"PO", b"NG", b"more", end=None).unread == 1


@pytest.mark.parametrize("step", [1, 700, MOST_TEXT])
def test_what_matches_late_is_found_by_the_end(step: int) -> None:
    answer = b"-" * 30_000 + b"PONG" + b"-" * 20
    assert talk(TcpOptions(expect="PONG"), *split_at(answer, range(0, len(answer), step))).result.code is Code.L7OK
    assert talk(TcpOptions(expect="PONG"), *split_at(answer, range(0, len(answer), step)), end=None).result.ok


def test_endless_answer_is_given_up_at_the_window() -> None:
    dialogue = talk(TcpOptions(expect="PONG"), *[b"-" * 8192] * 20, end=None)
    assert (dialogue.result.code, dialogue.unread) == (Code.L7RSP, 12)


def test_what_lies_behind_the_window_is_not_looked_at() -> None:
    assert talk(TcpOptions(expect="PONG"), b"-" * (MOST_TEXT - 2) + b"PONG").result.code is Code.L7RSP


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|aa)+$b", "(a|a?)+b"])
def test_pattern_made_to_backtrack_takes_one_pass(pattern: str) -> None:
    assert talk(TcpOptions(expect=pattern), b"a" * MOST_TEXT).result.code is Code.L7RSP


def test_pattern_and_answer_may_hold_any_utf8_and_any_bytes() -> None:
    assert talk(TcpOptions(expect="grüß"), b"\xff\x00" + "grüß".encode()).result.ok


def test_a_server_that_repeats_the_password_does_not_bring_it_into_the_detail() -> None:
    answer = b"-ERR unknown command 'AUTH', with args beginning with: 'hunter2-and-more'"
    detail = talk(TcpOptions(send="AUTH hunter2-and-more\r\n", expect=r"^\+OK"), answer).result.detail
    assert "-ERR unknown command" in detail
    assert "hunter2" not in detail


def test_what_is_wrong_with_send_is_said_without_its_text() -> None:
    for wrong in ({"send": "pass\\word"}, {"send": "pass\u20acword", "encoding": "latin-1"}, {"send_hex": "password"}):
        with pytest.raises(ValueError, match="send") as caught:
            TcpChecker(TcpOptions(**wrong))  # type: ignore[arg-type]  # one of several
        assert "word" not in str(caught.value)
