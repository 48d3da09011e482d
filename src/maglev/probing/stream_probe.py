"""One probe of a `StreamChecker` in flight: connects a socket to a conversation.

A probe ends exactly once: by a verdict, by a fault in the checker, or by being cancelled.
"""

from __future__ import annotations

import errno
import select
import socket
import ssl
from collections.abc import Callable

from maglev.api import Closed, Code, Conversation, Done, ProbeResult, Send, StartTLS
from maglev.probing import server_certificate, verdicts
from maglev.probing.job import EngineContext, ScheduledJob
from maglev.probing.lingering import LingeringSet
from maglev.probing.lingering_probe import LingeringProbe
from maglev.probing.socket_probe import RESETS, Phase
from maglev.probing.sockets import SMALLEST_SEGMENT, RawSocket, acknowledge, has_sent_all, is_own, send_at_once
from maglev.probing.tls import MOST_SESSIONS, FirstRecord, TLSLayer

_READ_SIZE = 16384
_DATAGRAM_SIZE = 65536
_READS_A_TURN = 4

_BROKEN = select.EPOLLERR | select.EPOLLHUP
_READABLE = select.EPOLLIN | select.EPOLLRDHUP | _BROKEN
_ENDED = select.EPOLLRDHUP | _BROKEN
_WRITABLE = select.EPOLLOUT
_CONNECT, _HANDSHAKE, _CONFIRMATION = Phase.CONNECT, Phase.HANDSHAKE, Phase.CONFIRMATION
_CONVERSATION, _LINGER, _OVER = Phase.CONVERSATION, Phase.LINGER, Phase.OVER
_UNCONFIRMED = ProbeResult(Code.L6TOUT, "the server did not confirm the TLS handshake in time")
_ITSELF = ProbeResult(Code.L4CON, "connected to itself: nothing listens on the port")


class StreamProbe(LingeringProbe):
    """One conversation with one backend, over TCP, TLS or connected UDP.

    The socket is non-blocking and not connected yet; this probe closes it. The conversation is a new one.
    """

    __slots__ = ("_confirmation", "_done", "batch")

    def __init__(
        self,
        scheduled: ScheduledJob,
        started_ns: int,
        context: EngineContext,
        lingering: LingeringSet,
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
        self._ended = 0
        self._conversation = conversation
        self._tls: TLSLayer | None = None
        self._lingering = lingering

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
        elif self.phase is _CONFIRMATION:
            self.end(_UNCONFIRMED)
        else:
            self._end_with(self._conversation.expired)

    def cancel(self) -> None:
        if self.phase is not _OVER:
            self._close(orderly=False)

    def _catch_up(self) -> None:
        if self._outbox is not None:
            self._flush()
        if self.phase is _LINGER:
            self._read(_READABLE)

    def end(self, result: ProbeResult, last_send: bytes = b"", *, orderly: bool = False) -> None:
        """Report, and close the socket: now, or when the peer has been heard out."""
        if self.phase is _OVER:
            return
        if self.phase is _LINGER:  # the verdict is known, and what was still to be said cannot be sent
            self.abandon()
            return
        if self._tls is not None and self._tls.established:
            self._keep_session(self._tls)
        if last_send and self._outbox is None and self.phase is _CONVERSATION:
            self._send(last_send)
            if self.phase is not _CONVERSATION:  # it could not be sent, and that has ended it
                return
        if (orderly or last_send) and not self._ended and not self.scheduled.udp and self.phase is not _CONNECT:
            self._linger(waits=bool(last_send))
        else:
            self._close(orderly=False)
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
        if self.scheduled.meets_itself and is_own(self._sock, self.scheduled.address):
            self.phase = _CONVERSATION  # it is connected, and closed like a connection
            self.end(_ITSELF)
        elif self.scheduled.tls_first:
            self._begin_tls()
        else:
            self._send_next(self._conversation.opening)

    def _read(self, events: int) -> bool:
        udp = self.scheduled.udp
        size = _DATAGRAM_SIZE if udp else _READ_SIZE
        ended = events & _ENDED
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
            # Less than asked for: the kernel had no more, and reports what comes later. But an end that has come
            # already was reported in these events.
            last = len(data) < size and not udp
            if data or udp:
                if last:
                    self._ended = ended
                self._take(data)
            else:
                self._ended = _ENDED
                self._peer_closed(Closed.RESET if self._reset else Closed.EOF)
                return False
            if last and not ended:
                return False
        return self.phase is not _OVER

    def _take(self, data: bytes) -> None:
        if self._tls is not None:
            self._receive_tls(self._tls, data)
        elif self.phase is _LINGER:
            self._drain(data)
        elif data:
            self._receive(data)

    def _peer_closed(self, why: Closed) -> None:
        if self.phase is _LINGER:
            self._heard_out()
        elif self.phase is _CONFIRMATION and why is Closed.EOF and has_sent_all(self._sock):
            self._confirmed()
        elif self.phase in (_HANDSHAKE, _CONFIRMATION):
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
        tls = self._tls
        if isinstance(data, Done):
            if tls is None:
                self.end(data.result, data.last_send, orderly=data.orderly)
            else:
                self._end_secured(tls, data)
        elif data:
            if len(data) > SMALLEST_SEGMENT and not self.scheduled.udp:
                send_at_once(self._sock)
            self._send(data)  # with TLS, in one write with the last of the handshake
        elif tls is not None:
            self._send_encrypted(tls)
        elif not self.scheduled.udp:
            acknowledge(self._sock)

    def _perform(self, action: object) -> None:
        if isinstance(action, Send):
            if not self.scheduled.udp:
                send_at_once(self._sock)
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
        send_at_once(self._sock)
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
            self._tls_failed(tls, error)
            return
        if not tls.established:
            self._send_encrypted(tls)
            return
        scheduled = self.scheduled
        if not tls.resumed:
            server_certificate.note(scheduled, tls, self._context.certified)
        # A callback may have removed the job.
        if self.phase is not _HANDSHAKE:
            return
        if scheduled.tls is not None and (result := server_certificate.judge(scheduled, scheduled.tls)):
            # A session that goes on would hide the certificate's replacement.
            scheduled.session, tls.established = None, False
            self._send_encrypted(tls)
            self.end(result)
        else:
            self._send_next(self._conversation.opening if scheduled.tls_first else self._conversation.secured)

    def _end_secured(self, tls: TLSLayer, done: Done) -> None:
        """End with a verdict that was reached by the handshake alone, once the server has accepted it too."""
        if tls.told_by_the_server:
            self._send_encrypted(tls)
            self.end(done.result, done.last_send, orderly=done.orderly)
            return
        # The server may yet refuse our certificate, or the lack of one, and need not say that it accepts. But it
        # answers with a session to resume, or by closing when it hears that we close.
        try:
            if done.last_send:
                tls.send(done.last_send)
            tls.close()
        except (TypeError, ssl.SSLError) as error:
            self._fault(error)
            return
        self.phase = _CONFIRMATION
        self._done = done
        self._confirmation = FirstRecord()
        self._send_encrypted(tls)

    def _confirmed(self) -> None:
        self.end(self._done.result, orderly=True)  # we have said that we close, and the peer will do so

    def _tls_failed(self, tls: TLSLayer, error: ssl.SSLError) -> None:
        tls.established = False  # whatever went wrong, its session is not worth keeping
        self.scheduled.session = None
        self.end(verdicts.tls_failed(error))

    def _receive_tls(self, tls: TLSLayer, data: bytes) -> None:
        if self.phase is _LINGER:
            self._drain(data)
            return
        tls.receive(data)
        if self.phase is _CONFIRMATION:
            self._hear_confirmation(tls, data)
            return
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
            self._tls_failed(tls, error)
            return
        self._send_encrypted(tls)

    def _hear_confirmation(self, tls: TLSLayer, data: bytes) -> None:
        """Take what a server says after the handshake: it accepts, unless that is an alert."""
        try:
            spoken = any(True for _ in tls.clear_text())
        except ssl.SSLError as error:
            self._tls_failed(tls, error)
            return
        if self._confirmation.complete(data) or spoken:
            self._confirmed()

    def _receive(self, data: bytes) -> None:
        try:
            action = self._conversation.receive(data)
        except Exception as error:  # noqa: BLE001 - a checker may fail on anything its peer sends
            self._unreadable(error)
            return
        if isinstance(action, Done):
            self.end(action.result, action.last_send, orderly=action.orderly)
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
