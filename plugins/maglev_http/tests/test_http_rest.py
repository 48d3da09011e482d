"""After a verdict the rest of an answer is read, and the server logs no error."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio
import pytest

from maglev.api import Code, Done, ProbeResult, Target
from maglev.probing import Job, Prober
from maglev_http.checkers import HttpChecker
from maglev_http.conversations import BodyConversation, HeadConversation
from maglev_http.options import HttpOptions
from maglev_http.verdicts import Verdicts

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TO_THE_END = b"HTTP/1.0 200 OK\r\n\r\n"
UNWANTED = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\n"


def judged(head: bytes, method: str = "GET", *, times: int = 1) -> HeadConversation:
    """A conversation that has its verdict. The second time, it comes by the quick path."""
    verdicts = Verdicts(HttpOptions())
    conversations = [HeadConversation(f"{method} / HTTP/1.1\r\n\r\n".encode(), verdicts) for _ in range(times)]
    for conversation in conversations:
        done = conversation.receive(head)
        assert isinstance(done, Done)
        assert done.orderly
    return conversations[-1]


@pytest.mark.parametrize("times", [1, 2], ids=["slow", "quick"])
@pytest.mark.parametrize(
    "head, method, rest, complete",
    [
        (LENGTH, "GET", b"", False),
        (LENGTH, "GET", b"four", False),
        (LENGTH, "GET", b"fives", True),
        (LENGTH + b"fi", "GET", b"ves", True),
        (LENGTH + b"fives", "GET", b"", True),
        (LENGTH, "GET", b"more than five", True),
        (LENGTH, "HEAD", b"", True),
        (UNWANTED, "GET", b"", False),
        (UNWANTED, "GET", b"fives", True),
        (TO_THE_END, "GET", b"anything", False),
        (CHUNKED, "GET", b"5\r\nfives\r\n", False),
        (CHUNKED, "GET", b"5\r\nfives\r\n0\r\n\r\n", True),
        (CHUNKED, "GET", b"0\r\n\r\n", True),
        (CHUNKED + b"0\r\n", "GET", b"\r\n", True),
        (CHUNKED, "GET", b"a\r\nhas 0\r\n\r\n.\r\n", False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "GET", b"", True),
    ],
)
def test_an_answer_is_known_to_be_complete(head: bytes, method: str, rest: bytes, complete: bool, times: int) -> None:
    assert judged(head, method, times=times).drain(rest) is complete


def test_pieces_make_no_difference() -> None:
    conversation = judged(CHUNKED)
    rest = b"5\r\nfives\r\n0\r\n\r\n"
    assert [conversation.drain(rest[at : at + 1]) for at in range(len(rest))] == [False] * (len(rest) - 1) + [True]


def test_after_a_body_that_was_judged_nothing_is_to_come() -> None:
    conversation = BodyConversation(b"GET / HTTP/1.1\r\n\r\n", Verdicts(HttpOptions(response_regexp="fives")), "GET")
    done = conversation.receive(LENGTH + b"fives")
    assert isinstance(done, Done)
    assert (done.result.code, done.orderly) == (Code.L7OK, True)
    assert conversation.drain(b"")


def test_before_a_body_that_nobody_judges_there_is_something_to_come() -> None:
    conversation = BodyConversation(b"GET / HTTP/1.1\r\n\r\n", Verdicts(HttpOptions(response_regexp="fives")), "GET")
    assert isinstance(conversation.receive(UNWANTED + b"fi"), Done)
    assert not conversation.drain(b"")
    assert conversation.drain(b"ves")


class Server(ThreadingHTTPServer):
    """Python's own, which answers in two writes; told to go on with the body when the verdict is there."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.go_on = threading.Semaphore(0)
        self.complaints: list[BaseException | None] = []
        self.served = threading.Semaphore(0)

    def handle_error(self, request: object, client_address: object) -> None:
        self.complaints.append(sys.exc_info()[1])

    def shutdown_request(self, request: object) -> None:
        super().shutdown_request(request)  # type: ignore[arg-type]
        self.served.release()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.send_response(200)
        self.send_header("Content-Length", "40000")
        self.end_headers()
        self.server.go_on.acquire(timeout=30)
        for _ in range(4):
            self.wfile.write(b"x" * 10_000)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def python_server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def test_a_simple_server_has_nothing_to_complain_of(
    python_server: Server, loopback_target: Callable[..., Target]
) -> None:
    results: list[ProbeResult] = []

    def keep(job: Job, result: ProbeResult, started_ns: int, ended_ns: int) -> int:
        results.append(result)
        python_server.go_on.release()
        return 20_000_000 if len(results) < 3 else 10**12

    prober = Prober(keep)
    prober.add(Job("python", HttpChecker(HttpOptions()), loopback_target(python_server.server_address[1])), 0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(prober.run)
        for _ in range(3):
            await anyio.to_thread.run_sync(lambda: python_server.served.acquire(timeout=30))
        tasks.cancel_scope.cancel()
    await prober.aclose()
    assert {result.code for result in results} == {Code.L7OK}
    assert python_server.complaints == []
