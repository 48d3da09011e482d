"""Probes a real server with a `StreamChecker`, one at a time, on a blocking socket.

The engine is built for thousands at once. This is the same contract in its plainest form, so that a plugin's tests can
meet a real server without starting a daemon, and so that the engine has something to be compared with.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time

from maglev.api import TLS, Closed, Code, Conversation, Done, ProbeResult, Send, StartTLS, StreamChecker, Target

_READ = 16384


def probe(checker: StreamChecker, target: Target) -> ProbeResult:
    """Probe once and wait for the verdict.

    Args:
        checker: The checker.
        target: Whom to probe. Its namespace is not entered: the current one is used.

    Returns:
        The verdict, without its duration.
    """
    conversation = checker.conversations(target)()
    with contextlib.ExitStack() as stack:
        kind = socket.SOCK_STREAM if checker.transport == "tcp" else socket.SOCK_DGRAM
        wire = _Wire(stack.enter_context(socket.socket(target.family, kind)), target.timeout_ns)
        try:
            wire.connect(target)
        except TimeoutError:
            return ProbeResult(Code.L4TOUT, "no connection in time")
        except OSError as error:
            return ProbeResult(Code.L4CON, error.strerror or str(error))
        return _talk(wire, conversation, checker.tls(target), tls_first=checker.tls_first(target))


class _Wire:
    """A connected socket that knows its deadline."""

    def __init__(self, sock: socket.socket, timeout_ns: int) -> None:
        self.sock = sock
        self.deadline = time.monotonic() + timeout_ns / 1e9

    def connect(self, target: Target) -> None:
        if target.source is not None:
            self.sock.bind((str(target.source), 0))
        self.wait()
        self.sock.connect(target.sockaddr)

    def wait(self) -> None:
        """Let the next call take as long as there is left.

        Raises:
            TimeoutError: There is nothing left.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.sock.settimeout(left)

    def handshake(self, tls: TLS) -> ProbeResult | None:
        """Go over to TLS; a result if that failed."""
        try:
            self.wait()
            self.sock = tls.context.wrap_socket(self.sock, server_hostname=tls.server_name)
        except TimeoutError:
            return ProbeResult(Code.L6TOUT, "no TLS handshake in time")
        except (ssl.SSLError, OSError) as error:
            return ProbeResult(Code.L6RSP, str(error))
        return None


def _talk(wire: _Wire, conversation: Conversation, tls: TLS | None, *, tls_first: bool) -> ProbeResult:
    if tls is not None and tls_first and (failure := wire.handshake(tls)):
        return failure
    with contextlib.closing(wire.sock):
        try:
            return _dialogue(wire, conversation, tls)
        except TimeoutError:
            return conversation.expired()
        except ssl.SSLError as error:
            return ProbeResult(Code.L6RSP, str(error))
        except OSError:
            return conversation.closed(Closed.RESET)


def _dialogue(wire: _Wire, conversation: Conversation, tls: TLS | None) -> ProbeResult:
    say = conversation.opening()
    while not isinstance(say, Done):
        if say:
            wire.wait()
            wire.sock.sendall(say)
        wire.wait()
        data = wire.sock.recv(_READ)
        if not data:
            return conversation.closed(Closed.EOF)
        action = conversation.receive(data)
        if isinstance(action, StartTLS):
            if tls is None:
                return ProbeResult(Code.ERROR, "the checker asked for TLS but has none")
            if failure := wire.handshake(tls):
                return failure
            say = conversation.secured()
        else:
            say = action.data if isinstance(action, Send) else action or b""
    with contextlib.suppress(OSError):  # a farewell is a courtesy: whether it arrives decides nothing
        wire.sock.sendall(say.farewell)
    return say.result
