"""TLS for one probe, without I/O: what came in, what is to go out, and how far the handshake is."""

from __future__ import annotations

import contextlib
import ssl
import sys
from collections.abc import Iterator

from maglev.api import TLS

MOST_SESSIONS = sys.maxsize if sys.version_info >= (3, 13, 1) or (3, 13) > sys.version_info >= (3, 12, 8) else 8
"""How many sessions may be taken for one backend. Older interpreters lose 7 KB of memory, for ever, with each session
that is asked for (CPython gh-116810): there, after so many, all handshakes are full ones."""
_CHUNK = 16384  # the most that one TLS record carries
_HEADER = 5


class TLSLayer:
    """The client's side of one TLS connection.

    Args:
        tls: Context, server name and whether to resume sessions.
        session: A session of an earlier connection to resume, or `None`.

    Raises:
        ValueError: The context demands a server name and there is none.
    """

    __slots__ = ("_incoming", "_object", "_outgoing", "established")

    def __init__(self, tls: TLS, session: ssl.SSLSession | None) -> None:
        if tls.context.check_hostname and not tls.server_name:
            # Over sockets the ssl module refuses this by itself; over BIOs it would take any name for the right one.
            raise ValueError("the TLS context checks names, but there is no server name to check")
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = tls.context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=tls.server_name, session=session
        )
        self.established = False
        """Whether the handshake is done."""

    def handshake(self) -> None:
        """Continue the handshake as far as the received data allows.

        Raises:
            ssl.SSLError: It failed.
        """
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return
        self.established = True

    def close(self) -> None:
        """Say that nothing more will be sent; `take_outgoing` then has it. What the peer says can still be read."""
        with contextlib.suppress(ssl.SSLError):  # above all SSLWantReadError: the peer has not said so yet
            self._object.unwrap()

    def receive(self, data: bytes) -> None:
        """Take encrypted data from the peer; `handshake` or `clear_text` then use it."""
        self._incoming.write(data)

    def clear_text(self) -> Iterator[bytes]:
        """Decrypt what came in, piece by piece; an empty piece is an orderly end by the peer.

        Raises:
            ssl.SSLError: The data cannot be decrypted.
        """
        while True:
            try:
                piece = self._object.read(_CHUNK)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLZeroReturnError:
                piece = b""
            yield piece
            if not piece:
                return

    def send(self, data: bytes) -> None:
        """Encrypt data; `take_outgoing` then has it."""
        self._object.write(data)

    def take_outgoing(self) -> bytes:
        """Take what is to be sent over the wire; may be empty."""
        return self._outgoing.read()

    @property
    def told_by_the_server(self) -> bool:
        """Whether a handshake that is done here is done at the server too (TLS 1.3: only what it says next tells)."""
        return self._object.version() != "TLSv1.3"

    def certificate(self) -> bytes:
        """The server's certificate, in DER; empty if it has shown none."""
        return self._object.getpeercert(binary_form=True) or b""

    @property
    def resumed(self) -> bool:
        """Whether the server resumed the session that it was offered."""
        return bool(self._object.session_reused)

    def session(self) -> ssl.SSLSession | None:
        """The session to resume next time, if the server offered one. Ask sparingly: see `MOST_SESSIONS`."""
        return self._object.session


class FirstRecord:
    """Waits for the end of the first record among encrypted data."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen = b""

    def complete(self, data: bytes) -> bool:
        """Take data; returns whether the record is complete (its length: RFC 8446, section 5.2)."""
        self._seen += data
        return len(self._seen) >= _HEADER and len(self._seen) >= _HEADER + int.from_bytes(self._seen[3:_HEADER], "big")
