"""Reads the rest of an answer after its verdict, and closes the connection in order."""

from __future__ import annotations

import ssl

from maglev.api import Conversation
from maglev.probing.lingering import MOST_BYTES, LingeringSet
from maglev.probing.socket_probe import Phase, SocketProbe
from maglev.probing.tls import TLSLayer

_ASK_AT, _LAST = 2, 20
"""At which sweep a conversation is asked, and at which the connection is given up on: a second after the verdict."""
_LINGER, _OVER = Phase.LINGER, Phase.OVER


class LingeringProbe(SocketProbe):
    """A probe that can outlive its verdict; the subclass sets all attributes."""

    __slots__ = ("_conversation", "_lingering", "_room", "_said_all", "_sweeps", "_tls", "_waits")

    _conversation: Conversation
    _tls: TLSLayer | None
    _lingering: LingeringSet
    _waits: bool
    """Whether only the peer's close ends the wait."""
    _said_all: bool
    """Whether the peer has said all."""
    _sweeps: int
    _room: int

    def sweep(self, now_ns: int) -> None:
        """Leave if the peer has said all, or if it takes too long."""
        self._sweeps += 1
        self._catch_up()
        if self.phase is not _LINGER:
            return
        too_long = self._sweeps >= _LAST or now_ns >= self.started_ns + self.scheduled.timeout_ns
        if not too_long and self._sweeps == _ASK_AT and not self._said_all:
            self._drain(b"")
        if (too_long or self._said_all) and self.phase is _LINGER:
            self._farewell()

    def _catch_up(self) -> None:
        """Send what could not be sent, and read what has come, since the last sweep."""
        raise NotImplementedError

    def abandon(self) -> None:
        """Close the connection at once."""
        if self.phase is _LINGER:
            self._forget()
            self._leave()

    def _linger(self, *, waits: bool) -> None:
        self.phase = _LINGER
        # Nearly all peers close within a moment. To look once, later, costs a third of what hearing of each end would.
        self._context.poller.forget(self._fd)
        self._waits = waits
        self._said_all = False
        self._sweeps = 0
        self._room = MOST_BYTES
        self.scheduled.lingering += 1
        self._lingering.add(self)

    def _heard_out(self) -> None:
        """Close: the peer has done so."""
        self._forget()
        self._close(orderly=True)

    def _drain(self, data: bytes) -> None:
        """Take what the peer says after the verdict."""
        tls = self._tls
        if tls is None:
            self._hear(data)
            return
        try:
            tls.receive(data)
            for piece in tls.clear_text():
                if piece:
                    self._hear(piece)
                else:
                    self._said_all = True  # the connection's end follows
                if self.phase is not _LINGER:
                    return
            if not data:
                self._hear(data)
        except ssl.SSLError:
            self.abandon()

    def _hear(self, data: bytes) -> None:
        self._room -= len(data)
        if self._room < 0:
            self._farewell()
        elif not self._waits:
            try:
                self._said_all = bool(self._conversation.drain(data))
            except Exception:  # noqa: BLE001 - a checker may fail on anything its peer sends, and the verdict is known
                self._said_all = True

    def _farewell(self) -> None:
        """Leave before the peer does."""
        self._forget()
        if self._tls is not None:
            self._tls.close()
            self._transmit(self._tls.take_outgoing())
        if self.phase is not _OVER:
            self._leave()

    def _forget(self) -> None:
        self.scheduled.lingering -= 1
        self._lingering.discard(self)
