"""Any bytes before both engines: no void, and one verdict."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from ipaddress import ip_address

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maglev.api import Target, Verdict
from maglev.testing import probe_once
from maglev_http.checkers import HttpChecker
from maglev_http.options import HttpOptions
from plugins.maglev_http.tests.http2_frames import SETTINGS, body, go_away, head
from plugins.maglev_http.tests.httpx_servers import redirect
from plugins.maglev_http.tests.places import HOSTILE_PLACES
from tools.servers import ours
from tools.servers.behaviour import Behaviour
from tools.servers.catalogue import BEHAVIOURS

TIMEOUT_S = 10.0
EXAMPLES = settings(max_examples=settings().max_examples // 2)
SPLICES = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\0", b"\xff", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 302 Found\r\n",
    b"HTTP/1.1 100 x\r\n\r\n",
    b"Content-Length: 3\r\n", b"Content-Length:\r\n 2\r\n", b"Transfer-Encoding: chunked\r\n",
    b"2\r\nok\r\n0\r\n\r\n", b"ffffffff\r\n",
    b"Location: http://x:99999/\r\n", b"Location: http://xn--/\r\n", b"Set-Cookie: a=b; Max-Age=-9999999999999\r\n",
    b"\0\0\x04\x01\x05\0\0\0\x01\x88\xc0\xc1\xc2", b"\0\0\0\x04\0\0\0\0\0", b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0",
]  # fmt: skip
REPLIES = [
    *(one.reply for one in BEHAVIOURS if len(one.reply) < 1000),
    *(redirect(place) for place in HOSTILE_PLACES[:9]),
    SETTINGS + head(("content-length", "2")) + body(b"ok"),
    SETTINGS + head(status="103") + head(("location", "http://x:99999/"), status="302") + go_away(1),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """An answer of a server that is odd already, with some bytes cut, doubled or put in."""
    reply = draw(st.sampled_from(REPLIES))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(reply)))
        end = draw(st.integers(start, min(len(reply), start + 40)))
        middle = draw(st.sampled_from([b"", reply[start:end] * 2, *SPLICES]))
        reply = reply[:start] + middle + reply[end:]
    return reply


ANSWERS = mutated() | st.binary(max_size=200)


class Puppet:
    """A server that says whatever it is told to."""

    def __init__(self) -> None:
        self.reply = b""
        self.resets = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:  # closed
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(20)
                connection.recv(65_536)
                connection.sendall(self.reply)
                if self.resets:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


@pytest.fixture(scope="module")
def puppet() -> Iterator[Puppet]:
    server = Puppet()
    yield server
    server.close()


@EXAMPLES
@given(reply=ANSWERS, pattern=st.sampled_from(["", "ok"]), resets=st.booleans())
def test_both_engines_judge_any_answer_alike(puppet: Puppet, reply: bytes, pattern: str, resets: bool) -> None:
    puppet.reply, puppet.resets = reply, resets
    (results,) = anyio.run(ours.judge, [Behaviour("any", reply, pattern=pattern)], [puppet.port], TIMEOUT_S)
    lean, httpx = results["lean"], results["httpx"]
    assert (lean.code, lean.detail) == (httpx.code, httpx.detail)
    assert lean.verdict is not Verdict.VOID


@EXAMPLES
@given(reply=ANSWERS, pattern=st.sampled_from(["", "ok"]), http2=st.booleans())
def test_redirects_and_http2_are_never_void(puppet: Puppet, reply: bytes, pattern: str, http2: bool) -> None:
    puppet.reply, puppet.resets = reply, False
    options = HttpOptions(engine="httpx", follow_redirects=True, http2=http2, response_regexp=pattern, max_redirects=2)
    target = Target("a", ip_address("127.0.0.1"), puppet.port, timeout_ns=int(TIMEOUT_S * 1e9))
    assert probe_once(HttpChecker.build(options), target).verdict is not Verdict.VOID
