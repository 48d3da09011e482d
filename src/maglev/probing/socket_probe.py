"""The socket of one probe: sends what does not fit at once, and closes without leaving a TIME_WAIT."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from enum import Enum

from maglev.api import ProbeResult
from maglev.probing import verdicts
from maglev.probing.job import EngineContext, Probe
from maglev.probing.sockets import RawSocket

_OUTBOX_LIMIT = 1_048_576  # a peer that asks and never reads must not use up our memory
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

RESETS = frozenset({errno.ECONNRESET, errno.EPIPE})
"""The errors of a connection that the peer has reset."""


class Phase(Enum):
    """The phase of a probe: the event that it waits for."""

    CONNECT = "connect"
    HANDSHAKE = "handshake"
    CONFIRMATION = "confirmation"
    CONVERSATION = "conversation"
    LINGER = "linger"
    OVER = "over"


_CONNECT, _OVER = Phase.CONNECT, Phase.OVER


class SocketProbe(Probe):
    """A probe with a socket of its own; the subclass sets all attributes."""

    __slots__ = ("_context", "_ended", "_fd", "_outbox", "_reset", "_sock", "phase")

    phase: Phase
    _context: EngineContext
    _sock: RawSocket
    _fd: int
    _outbox: bytearray | None
    """What could not be sent yet."""
    _reset: bool
    """Whether the peer is known to have reset the connection, though there may be something left to read."""
    _ended: int
    """Not 0 if the peer has ended the connection and all that it sent is read: then the TIME_WAIT is the peer's."""

    def end(self, result: ProbeResult) -> None:
        """Close the socket and report."""
        raise NotImplementedError

    def _transmit(self, data: bytes) -> None:
        if self._outbox is not None:
            self._outbox += data
            if len(self._outbox) > _OUTBOX_LIMIT:
                self.end(verdicts.UNREAD)
            return
        try:
            sent = self._sock.send(data)
        except OSError as error:
            sent = self._not_sent(error, len(data))
        if sent < len(data) and self.phase is not _OVER:
            self._outbox = bytearray(data[sent:])

    def _flush(self) -> None:
        outbox = self._outbox
        while outbox:
            try:
                sent = self._sock.send(outbox)
            except OSError as error:
                sent = self._not_sent(error, len(outbox))
            if not sent or self.phase is _OVER:
                return
            del outbox[:sent]
        self._outbox = None

    def _not_sent(self, error: OSError, size: int) -> int:
        """Handle a failure to send so many bytes; returns how many need not be sent again."""
        number = error.errno or 0
        if self.scheduled.udp:  # a datagram goes now or not at all
            self.end(verdicts.send_failed(number, connected=True))
            return 0
        if isinstance(error, BlockingIOError):
            return 0
        if number not in RESETS:
            self.end(verdicts.connect_failed(number))
            return 0
        # What the peer sent before the reset may be the answer (a 503, then a reset): go on reading.
        self._reset = True
        return size

    def _close(self, *, orderly: bool) -> None:
        reset = self.phase is not _CONNECT and not orderly and not self._ended and not self.scheduled.udp
        self.phase = _OVER
        self._context.poller.forget(self._fd)
        if reset:
            # As HAProxy does: no TIME_WAIT is left, which at thousands a second would use up the local ports.
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._sock.close()

    def _leave(self) -> None:
        """Close before the peer does: it reads an orderly end, and no TIME_WAIT is left unless it is quicker still."""
        self.phase = _OVER
        self._context.poller.forget(self._fd)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        with contextlib.suppress(OSError):  # the peer may have reset the connection by now
            self._sock.shutdown(socket.SHUT_WR)
        self._sock.close()
