"""One probe's side of a conversation: bytes in, actions out. The engine does all I/O."""

from __future__ import annotations

from enum import Enum

import attrs

from maglev.api.results import Code, ProbeResult


class Closed(Enum):
    """The ways in which a peer ends a connection."""

    EOF = "closed by the peer"
    RESET = "reset by the peer"


@attrs.frozen
class Send:
    """Send these bytes and go on receiving."""

    data: bytes


@attrs.frozen
class StartTLS:
    """Begin a TLS handshake on this connection, as the checker's `tls` says; `Conversation.secured` is called after."""


@attrs.frozen
class Done:
    """The verdict is known.

    Args:
        result: The result of the probe.
        last_send: Bytes to send before the connection is closed (`QUIT`); whether they arrive does not matter. The peer
            then gets time to answer them and to close.
        orderly: Read the rest of the peer's answer, and then close the connection in order, so that the peer logs no
            error. By default it is reset at once, which costs least. See `Conversation.drain`.

    The result counts at once, with or without `orderly`, and the next probe does not wait for the end of the
    connection.
    """

    result: ProbeResult
    last_send: bytes = b""
    orderly: bool = False


Action = Send | StartTLS | Done
"""What a conversation asks the engine to do."""

TIMED_OUT_L7 = ProbeResult(Code.L7TOUT, "no complete answer in time")
"""The result of a conversation whose time ran out, unless it gives another."""
CLOSED_EARLY = ProbeResult(Code.L7RSP, "closed by the peer before the answer was complete")
"""The result where the peer closed too early, unless the conversation gives another."""
RESET_EARLY = ProbeResult(Code.L7RSP, "reset by the peer before the answer was complete")
"""The result where the peer reset the connection too early, unless the conversation gives another."""


class Conversation:
    """One probe's side of a conversation, without any I/O: bytes in, actions out. Made for every probe; keep it small.

    An exception raised by `receive`, `closed` or `expired` is a failure (`L7RSP`): the peer sent something that could
    not be read. An exception anywhere else is void (`ERROR`).
    """

    __slots__ = ()

    def opening(self) -> bytes | Done:
        """Return the bytes to send first, once connected (and once TLS is up, where the checker starts with TLS).

        Returns:
            Bytes to send; `b""` if the server sends first; `Done` if an established connection is enough.
        """
        return b""

    def secured(self) -> bytes | Done:
        """Return the bytes to send after a handshake that `StartTLS` requested, as `opening` does."""
        return b""

    def receive(self, data: bytes) -> Action | None:
        """Read what the peer sent.

        Args:
            data: One or more bytes, in whatever pieces the network made of them.

        Returns:
            `Send`, `StartTLS` or `Done`; `None` to wait for more.
        """
        raise NotImplementedError

    def closed(self, why: Closed) -> ProbeResult:
        """Judge a connection that the peer ended before a verdict.

        Args:
            why: An orderly end of file, or a reset.
        """
        return CLOSED_EARLY if why is Closed.EOF else RESET_EARLY

    def expired(self) -> ProbeResult:
        """Judge a conversation that has timed out. Not called while TCP or TLS is still being set up."""
        return TIMED_OUT_L7

    def drain(self, data: bytes) -> bool:
        """Say whether a peer has said all, after a `Done` with `orderly`.

        The engine reads on until the peer closes, and asks this with whatever comes; and with nothing, once, if some
        50 ms after the verdict the peer has not closed. It stops at 64 KiB, at the probe's deadline, and a second after
        the verdict; then, and where this returns true, it closes the connection itself. With a `last_send` this is not
        called: only the peer's close ends the wait. An exception is as good as true.

        Args:
            data: What came after the bytes that `receive` has seen; `b""` where nothing did.

        Returns:
            Whether nothing more is to come. The default, true, is for peers that wait for us to close.
        """
        return True
