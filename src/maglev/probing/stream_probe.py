"""One probe of a `StreamChecker` in flight: connects a socket to a conversation.

A probe ends exactly once: by a verdict, by a fault in the checker, or by being cancelled.
"""

from __future__ import annotations

import errno
import select
import socket
import ssl
from collections.abc import Callable

from maglev.api import Closed, Conversation, Done, ProbeResult, Send, StartTLS
from maglev.probing import verdicts
from maglev.probing.job import EngineContext, ScheduledJob
from maglev.probing.socket_probe import RESETS, Phase, SocketProbe
from maglev.probing.sockets import RawSocket, acknowledge
from maglev.probing.tls import MOST_SESSIONS, TLSLayer

_READ_SIZE = 16384
_DATAGRAM_SIZE = 65536
_READS_A_TURN = 4

_BROKEN = select.EPOLLERR | select.EPOLLHUP
_READABLE = select.EPOLLIN | select.EPOLLRDHUP | _BROKEN
_ENDED = select.EPOLLRDHUP | _BROKEN
_WRITABLE = select.EPOLLOUT
_CONNECT, _HANDSHAKE, _CONVERSATION, _OVER = Phase.CONNECT, Phase.HANDSHAKE, Phase.CONVERSATION, Phase.OVER


class StreamProbe(SocketProbe):
    """One conversation with one backend, over TCP, TLS or connected UDP.

    The socket is non-blocking and not connected yet; this probe closes it. The conversation is a new one.
    """

    __slots__ = ("_conversation", "_tls", "batch")

    def __init__(
        self,
        scheduled: ScheduledJob,
        started_ns: int,
        context: EngineContext,
        sock: RawSocket,
        conversation: Conversation,
    ) -> None:
        # What the base class sets is set here instead: calling its constructor would cost each probe another frame.
        self.scheduled = scheduled
        self.started_ns = started_ns
        self.stalled_before_ns = 0
        self.deadline_slot = None
        self.phase = _CONNECT
        self.batch = 0
        self._context = context
        self._sock = sock
        self._fd = sock.fileno()
        self._outbox = None
        self._reset = False
        self._conversation = conversation
        self._tls: TLSLayer | None = None

    def connect(self) -> None:
        """Begin to connect; events bring the rest."""
        number = self._sock.connect_ex(self.scheduled.address)
        if number and number != errno.EINPROGRESS:
            self.end(verdicts.connect_failed(number))
            return
        try:
            self._context.poller.add(self._fd, self)
        except OSError as error:
            self.end(verdicts.socket_failed(error))
            return
        if not number:
            self._connected()

    def ready(self, events: int) -> bool:
        """Handle events of the socket; returns whether there may be more to read."""
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
            self._end_with(self._conversation.expired)

    def cancel(self) -> None:
        if self.phase is not _OVER:
            self._close(orderly=False)

    def end(self, result: ProbeResult, last_send: bytes = b"") -> None:
        """Close the socket and report."""
        if self.phase is _OVER:
            return
        if self._tls is not None and self._tls.established:
            self._keep_session(self._tls)
        if last_send and self._outbox is None and self.phase is _CONVERSATION:
            self._send(last_send)
            if self.phase is not _CONVERSATION:  # it could not be sent, and that has ended it
                return
        self._close(orderly=bool(last_send))
        self._context.report(self, result)

    # Receiving

    def _was_connected(self) -> bool:
        number = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number in RESETS:
            # The peer accepted and then reset before this event was handled. For the conversation that is the same as
            # a reset a moment later, and what was sent before can still be read.
            self._reset = True
            return True
        self.end(verdicts.connect_failed(number or errno.ECONNRESET))
        return False

    def _connected(self) -> None:
        if self.scheduled.tls_first:
            self._begin_tls()
        else:
            self._send_next(self._conversation.opening)

    def _read(self, events: int) -> bool:
        udp = self.scheduled.udp
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
                    self._receive(data)
                else:
                    self._receive_tls(self._tls, data)
            elif not udp:
                self._peer_closed(Closed.RESET if self._reset else Closed.EOF)
                return False
            # Less than asked for: the kernel had no more, and reports what comes later. But an end that has come
            # already was reported in these events.
            if len(data) < size and not udp and not events & _ENDED:
                return False
        return self.phase is not _OVER

    def _peer_closed(self, why: Closed) -> None:
        if self.phase is _HANDSHAKE:
            self.end(verdicts.HANDSHAKE_CLOSED if why is Closed.EOF else verdicts.HANDSHAKE_RESET)
        elif self.phase is _CONVERSATION:
            self._end_with(lambda: self._conversation.closed(why))

    def _receive_failed(self, number: int) -> None:
        if number in RESETS:
            self._peer_closed(Closed.RESET)
        else:
            self.end(verdicts.connect_failed(number))

    # Carrying out what the checker returns

    def _send_next(self, next_data: Callable[[], bytes | Done]) -> None:
        self.phase = _CONVERSATION
        try:
            data = next_data()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            self._fault(error)
            return
        if isinstance(data, Done):
            self.end(data.result, data.last_send)
        elif data:
            self._send(data)
        elif not self.scheduled.udp:
            acknowledge(self._sock)

    def _perform(self, action: object) -> None:
        if isinstance(action, Send):
            self._send(action.data)
        elif isinstance(action, StartTLS):
            self._begin_tls()
        else:
            self._fault(TypeError(f"receive returned {type(action).__name__}"))

    def _end_with(self, verdict: Callable[[], ProbeResult]) -> None:
        try:
            result = verdict()
        except Exception as error:  # noqa: BLE001 - a checker may fail on anything its peer did
            self._unreadable(error)
            return
        self.end(result)

    def _unreadable(self, error: Exception) -> None:
        self._context.warn(self.scheduled.job.checker, f"{self.scheduled.job.name}: the answer cannot be read", error)
        self.end(verdicts.unreadable(error))

    def _fault(self, error: Exception) -> None:
        self.end(self._context.fault(self.scheduled.job, "fault in the checker", error))

    # TLS

    def _begin_tls(self) -> None:
        tls = self.scheduled.tls
        if tls is None or self._tls is not None or self.scheduled.udp:
            self._fault(RuntimeError("TLS was asked for, but the checker configures none"))
            return
        self.phase = _HANDSHAKE
        try:
            self._tls = TLSLayer(tls, self.scheduled.session if tls.resume else None)
        except (ValueError, ssl.SSLError) as error:
            self._fault(error)
            return
        self._handshake(self._tls)

    def _handshake(self, tls: TLSLayer) -> None:
        try:
            tls.handshake()
        except ssl.SSLError as error:
            self.scheduled.session = None
            self.end(verdicts.tls_failed(error))
            return
        self._send_encrypted(tls)
        if tls.established and self.phase is _HANDSHAKE:
            self._send_next(self._conversation.opening if self.scheduled.tls_first else self._conversation.secured)

    def _receive_tls(self, tls: TLSLayer, data: bytes) -> None:
        tls.receive(data)
        if self.phase is _HANDSHAKE:
            self._handshake(tls)
        if self.phase is not _CONVERSATION:
            return
        try:
            for piece in tls.clear_text():
                if piece:
                    self._receive(piece)
                else:
                    self._peer_closed(Closed.EOF)
                if self.phase is not _CONVERSATION:
                    return
        except ssl.SSLError as error:
            tls.established = False  # whatever went wrong, its session is not worth keeping
            self.scheduled.session = None
            self.end(verdicts.tls_failed(error))
            return
        self._send_encrypted(tls)

    def _receive(self, data: bytes) -> None:
        try:
            action = self._conversation.receive(data)
        except Exception as error:  # noqa: BLE001 - a checker may fail on anything its peer sends
            self._unreadable(error)
            return
        if isinstance(action, Done):
            self.end(action.result, action.last_send)
        elif action is not None:
            self._perform(action)

    def _keep_session(self, tls: TLSLayer) -> None:
        # A session that was resumed is kept as it is until the server refuses it: to ask for the newer one that came
        # with it would cost as much as resuming saves.
        scheduled = self.scheduled
        if scheduled.tls is None or not scheduled.tls.resume or tls.resumed:
            return
        scheduled.session = None
        if scheduled.sessions_taken < MOST_SESSIONS:
            scheduled.sessions_taken += 1
            scheduled.session = tls.session()

    # Sending

    def _send(self, data: bytes) -> None:
        tls = self._tls
        try:
            if tls is None:
                self._transmit(data)
            else:
                tls.send(data)
                self._send_encrypted(tls)
        except (TypeError, ssl.SSLError) as error:
            self._fault(error)

    def _send_encrypted(self, tls: TLSLayer) -> None:
        data = tls.take_outgoing()
        if data:
            self._transmit(data)
