"""Bytes of a peer never reach the console through a library's log."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from socket import create_server
from typing import Any

import pytest

REDIRECT = b"HTTP/1.1 302 Found\x1b[31m\x1b]0;title\x07\r\nLocation: /next\r\n"
OK = b"HTTP/1.1 200 OK\x1b[31m\x1b]0;title\x07\r\n"
END = b"Content-Length: 0\r\nConnection: close\r\n\r\n"
CONFIG = """\
maglev:
  healthchecks:
    web:
      type: http
      port: {port}
      interval: 50ms
      timeout: 1s
      params: {{path: /?token=s3cret, engine: httpx, follow-redirects: true}}
  backends: {{one: {{address: 127.0.0.1, healthcheck: web}}}}
  frontends:
    site: {{address: 192.0.2.80, protocol: tcp, port: 80, pools: [{{name: primary, backends: {{one: {{}}}}}}]}}
"""


@pytest.fixture
def answered() -> Iterator[tuple[int, threading.Semaphore]]:
    """A server with a reason phrase of its own: its port, and what is released with each answer."""
    answers = threading.Semaphore(0)

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _peer = listener.accept()
                with connection, suppress(OSError):
                    connection.sendall((REDIRECT if b"token" in connection.recv(4096) else OK) + END)
                    answers.release()

    with create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], answers
        listener.shutdown(2)
    thread.join(30)


@pytest.mark.parametrize("fmt", ["console", "json"])
def test_a_reason_phrase_and_a_query_are_in_no_log(
    maglevd: Callable[..., Any],
    config_file: Callable[[str], Path],
    answered: tuple[int, threading.Semaphore],
    fmt: str,
) -> None:
    port, answers = answered
    daemon = maglevd("--config", config_file(CONFIG.format(port=port)), "--log-level", "debug", "--log-format", fmt)
    for _ in range(8):
        assert answers.acquire(timeout=30)
    daemon.signal(signal.SIGTERM)
    assert daemon.ended() == 0
    text = "".join(record.get("text", "") or repr(record) for record in daemon.seen)
    assert "one" in text
    for foreign in ("\x1b", "\\x1b", "title", "s3cret", "httpx"):
        assert foreign not in text
