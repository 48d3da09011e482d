"""The socket of one probe: sending what does not fit at once, and closing it without leaving anything behind."""

from __future__ import annotations

import errno
import socket
import struct
from enum import Enum

from maglev.api import ProbeResult
from maglev.probing import verdicts
from maglev.probing.job import Facilities, Plan, Run
from maglev.probing.sockets import RawSocket

_OUTBOX_LIMIT = 1_048_576  # a peer that asks and never reads must not fill our memory
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

RESETS = frozenset({errno.ECONNRESET, errno.EPIPE})
"""The errors that say that a peer has reset a connection that was made."""


class Phase(Enum):
    """What a stream waits for."""

    CONNECT = "connect"
    HANDSHAKE = "handshake"
    TALK = "talk"
    OVER = "over"


_CONNECT, _OVER = Phase.CONNECT, Phase.OVER


class Wire(Run):
    """A run that has a socket of its own.

    Args:
        plan: Whose probe it is.
        started_ns: When it started.
        facilities: What it works with.
        sock: Non-blocking, not connected yet; this run closes it.
    """

    __slots__ = ("_facilities", "_fd", "_outbox", "_reset", "_sock", "phase")

    def __init__(self, plan: Plan, started_ns: int, facilities: Facilities, sock: RawSocket) -> None:
        super().__init__(plan, started_ns)
        self.phase = _CONNECT
        self._facilities = facilities
        self._sock = sock
        self._fd = sock.fileno()
        self._outbox: bytearray | None = None
        self._reset = False  # the peer is known to have reset, though there may be something left to read

    def end(self, result: ProbeResult) -> None:
        """Close the socket and report."""
        raise NotImplementedError

    def _transmit(self, data: bytes) -> None:
        if self._outbox is not None:
            self._outbox += data
            if len(self._outbox) > _OUTBOX_LIMIT:
                self.end(verdicts.NOT_TAKEN)
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
        """Deal with a failure to send so many bytes; returns how many need not be sent again."""
        number = error.errno or 0
        if isinstance(error, BlockingIOError):
            if self.plan.udp:  # a datagram goes now or not at all
                self.end(verdicts.connect_failed(errno.ENOBUFS))
            return 0
        if number not in RESETS or self.plan.udp:
            self.end(verdicts.connect_failed(number))
            return 0
        # What the peer said before it reset may be its verdict on us ("503", and gone): go on reading.
        self._reset = True
        return size

    def _close(self, *, orderly: bool) -> None:
        linger = self.phase is not _CONNECT and not orderly and not self.plan.udp
        self.phase = _OVER
        self._facilities.poller.forget(self._fd)
        if linger:
            # As HAProxy does: no TIME_WAIT is left, which at thousands a second would use up the local ports.
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._sock.close()
