"""One probe of a `StreamChecker` under way: a socket on one side, a conversation on the other.

Nothing here knows of other probes or of time. A run ends exactly once: by a verdict, by a fault, or by being cancelled.
"""

from __future__ import annotations

import errno
import select
import socket
import ssl
from collections.abc import Callable

from maglev.api import Closed, Conversation, Done, ProbeResult, Send, StartTLS
from maglev.probing import verdicts
from maglev.probing.job import Facilities, Plan
from maglev.probing.sockets import RawSocket, acknowledge
from maglev.probing.tls import MOST_SESSIONS, TLSLayer
from maglev.probing.wire import RESETS, Phase, Wire

_READ_SIZE = 16384
_DATAGRAM_SIZE = 65536
_READS_A_TURN = 4

_BROKEN = select.EPOLLERR | select.EPOLLHUP
_READABLE = select.EPOLLIN | select.EPOLLRDHUP | _BROKEN
_ENDED = select.EPOLLRDHUP | _BROKEN
_WRITABLE = select.EPOLLOUT
_CONNECT, _HANDSHAKE, _TALK, _OVER = Phase.CONNECT, Phase.HANDSHAKE, Phase.TALK, Phase.OVER


class StreamRun(Wire):
    """One dialogue with one backend, over TCP, TLS or connected UDP.

    Args:
        plan: Whose probe it is.
        started_ns: When it started.
        facilities: What it works with.
        sock: Non-blocking, not connected yet; this run closes it.
        talk: The checker's side.
    """

    __slots__ = ("_talk", "_tls", "batch")

    def __init__(
        self, plan: Plan, started_ns: int, facilities: Facilities, sock: RawSocket, talk: Conversation
    ) -> None:
        # All that `Wire` and `Run` declare is set here too: their constructors would be two calls more for every probe.
        self.plan = plan
        self.started_ns = started_ns
        self.stalled_before_ns = 0
        self.deadline_slot = None
        self.phase = _CONNECT
        self.batch = 0
        self._facilities = facilities
        self._sock = sock
        self._fd = sock.fileno()
        self._outbox = None
        self._reset = False
        self._talk = talk
        self._tls: TLSLayer | None = None

    def connect(self) -> None:
        """Reach out; all that follows comes by events."""
        number = self._sock.connect_ex(self.plan.address)
        if number and number != errno.EINPROGRESS:
            self.end(verdicts.connect_failed(number))
            return
        try:
            self._facilities.poller.add(self._fd, self)
        except OSError as error:
            self.end(verdicts.socket_failed(error))
            return
        if not number:
            self._connected()

    def ready(self, events: int) -> bool:
        """Take what the kernel says of the socket; return whether there may be more to read."""
        if self.phase is _CONNECT:
            if events & _BROKEN and not self._was_connected():
                return False
            if not events & _WRITABLE:
                return False
            self._connected()
        elif self._outbox is not None and events & _WRITABLE:
            self._flush()
        return self._read(events) if events & _READABLE else False

    def expire(self) -> None:
        if self.phase is _CONNECT:
            self.end(verdicts.CONNECT_TIMED_OUT)
        elif self.phase is _HANDSHAKE:
            self.end(verdicts.HANDSHAKE_TIMED_OUT)
        else:
            self._judge(self._talk.expired)

    def cancel(self) -> None:
        if self.phase is not _OVER:
            self._close(orderly=False)

    def end(self, result: ProbeResult, farewell: bytes = b"") -> None:
        """Close the socket and report."""
        if self.phase is _OVER:
            return
        if self._tls is not None and self._tls.up:
            self._keep_session(self._tls)
        if farewell and self._outbox is None and self.phase is _TALK:
            self._send(farewell)
            if self.phase is not _TALK:  # it could not be sent, and that has ended it
                return
        self._close(orderly=bool(farewell))
        self._facilities.report(self, result)

    # What the connection brings

    def _was_connected(self) -> bool:
        number = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number in RESETS:
            # The peer accepted and then reset, sooner than we looked. To a conversation that is no different from a
            # reset a moment later, and what it sent before can still be read.
            self._reset = True
            return True
        self.end(verdicts.connect_failed(number or errno.ECONNRESET))
        return False

    def _connected(self) -> None:
        if self.plan.tls_first:
            self._begin_tls()
        else:
            self._speak(self._talk.opening)

    def _read(self, events: int) -> bool:
        udp = self.plan.udp
        size = _DATAGRAM_SIZE if udp else _READ_SIZE
        recv = self._sock.recv
        for _ in range(_READS_A_TURN):
            if self.phase is _OVER:
                return False
            try:
                data = recv(size)
            except BlockingIOError:
                return False
            except OSError as error:
                self._receive_failed(error.errno or 0)
                return False
            if data:
                if self._tls is None:
                    self._hear(data)
                else:
                    self._hear_tls(self._tls, data)
            elif not udp:
                self._peer_closed(Closed.RESET if self._reset else Closed.EOF)
                return False
            # Less than asked for: the kernel had no more, and tells of what comes later. But of an end that is
            # already there it has told in these very events.
            if len(data) < size and not udp and not events & _ENDED:
                return False
        return self.phase is not _OVER

    def _peer_closed(self, why: Closed) -> None:
        if self.phase is _HANDSHAKE:
            self.end(verdicts.HANDSHAKE_CLOSED if why is Closed.EOF else verdicts.HANDSHAKE_RESET)
        elif self.phase is _TALK:
            self._judge(lambda: self._talk.closed(why))

    def _receive_failed(self, number: int) -> None:
        if number in RESETS:
            self._peer_closed(Closed.RESET)
        else:
            self.end(verdicts.connect_failed(number))

    # What the checker wants

    def _speak(self, say: Callable[[], bytes | Done]) -> None:
        self.phase = _TALK
        try:
            words = say()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            self._fault(error)
            return
        if isinstance(words, Done):
            self.end(words.result, words.farewell)
        elif words:
            self._send(words)
        elif not self.plan.udp:
            acknowledge(self._sock)

    def _act(self, action: object) -> None:
        if isinstance(action, Send):
            self._send(action.data)
        elif isinstance(action, StartTLS):
            self._begin_tls()
        else:
            self._fault(TypeError(f"receive returned {type(action).__name__}"))

    def _judge(self, verdict: Callable[[], ProbeResult]) -> None:
        try:
            result = verdict()
        except Exception as error:  # noqa: BLE001 - a checker may stumble over anything its peer did
            self._unreadable(error)
            return
        self.end(result)

    def _unreadable(self, error: Exception) -> None:
        self._facilities.warn(self.plan.job.checker, f"{self.plan.job.name}: the answer cannot be read", error)
        self.end(verdicts.unreadable(error))

    def _fault(self, error: Exception) -> None:
        self._facilities.warn(self.plan.job.checker, f"{self.plan.job.name}: fault in the checker", error)
        self.end(verdicts.checker_fault(error))

    # TLS

    def _begin_tls(self) -> None:
        tls = self.plan.tls
        if tls is None or self._tls is not None or self.plan.udp:
            self._fault(RuntimeError("TLS was asked for where there is none to be had"))
            return
        self.phase = _HANDSHAKE
        try:
            self._tls = TLSLayer(tls, self.plan.session if tls.resume else None)
        except (ValueError, ssl.SSLError) as error:
            self._fault(error)
            return
        self._shake(self._tls)

    def _shake(self, tls: TLSLayer) -> None:
        try:
            tls.shake()
        except ssl.SSLError as error:
            self.plan.session = None
            self.end(verdicts.tls_failed(error))
            return
        self._pass_on(tls)
        if tls.up and self.phase is _HANDSHAKE:
            self._speak(self._talk.opening if self.plan.tls_first else self._talk.secured)

    def _hear_tls(self, tls: TLSLayer, data: bytes) -> None:
        tls.receive(data)
        if self.phase is _HANDSHAKE:
            self._shake(tls)
        if self.phase is not _TALK:
            return
        try:
            for piece in tls.clear_text():
                if piece:
                    self._hear(piece)
                else:
                    self._peer_closed(Closed.EOF)
                if self.phase is not _TALK:
                    return
        except ssl.SSLError as error:
            tls.up = False  # whatever went wrong, its session is not worth keeping
            self.plan.session = None
            self.end(verdicts.tls_failed(error))
            return
        self._pass_on(tls)

    def _hear(self, data: bytes) -> None:
        try:
            action = self._talk.receive(data)
        except Exception as error:  # noqa: BLE001 - a checker may stumble over anything its peer sends
            self._unreadable(error)
            return
        if isinstance(action, Done):
            self.end(action.result, action.farewell)
        elif action is not None:
            self._act(action)

    def _keep_session(self, tls: TLSLayer) -> None:
        # A session that was resumed is kept as it is until the server refuses it: to ask for the newer one that came
        # with it would cost as much as resuming saves.
        plan = self.plan
        if plan.tls is None or not plan.tls.resume or tls.resumed:
            return
        plan.session = None
        if plan.sessions_taken < MOST_SESSIONS:
            plan.sessions_taken += 1
            plan.session = tls.session()

    # Sending

    def _send(self, data: bytes) -> None:
        tls = self._tls
        try:
            if tls is None:
                self._transmit(data)
            else:
                tls.send(data)
                self._pass_on(tls)
        except (TypeError, ssl.SSLError) as error:
            self._fault(error)

    def _pass_on(self, tls: TLSLayer) -> None:
        data = tls.take_outgoing()
        if data:
            self._transmit(data)
