"""Runs a `Conversation` against scripted bytes, without sockets: the quickest test of a `StreamChecker`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from maglev.api import Closed, Conversation, Done, ProbeResult, Send, StartTLS

LOOPBACK_PORT = 4321


@attrs.frozen
class Dialogue:
    """What came of a dialogue.

    Args:
        result: The verdict.
        sent: What the checker said, one item for the opening and for each `Send`; empty ones left out.
        farewell: What it said last, when it knew the verdict.
        handshakes: How often it asked for TLS.
        unread: How many of the server's pieces came too late: the verdict was known before.
    """

    result: ProbeResult
    sent: tuple[bytes, ...] = ()
    farewell: bytes = b""
    handshakes: int = 0
    unread: int = 0

    @property
    def said(self) -> bytes:
        """All that the checker said before the verdict, in one."""
        return b"".join(self.sent)


def drive(
    conversation: Conversation, server: bytes | Iterable[bytes] = b"", end: Closed | None = Closed.EOF
) -> Dialogue:
    """Hold a dialogue with what a server would say, and tell how it went.

    A checker that asks for TLS gets it at once: the pieces after that are what arrives inside.

    Args:
        conversation: A fresh one.
        server: The server's bytes: all at once, or in the pieces in which they shall arrive.
        end: How the server ends the connection after its last byte; `None`: it does not, and time runs out.

    Returns:
        The verdict and what was said. Exceptions of the conversation pass through.

    Raises:
        TypeError: The conversation returned what the contract does not know.
    """
    pieces = [server] if isinstance(server, bytes) else list(server)
    return _Stage(conversation).play([piece for piece in pieces if piece], end)


def cut(data: bytes, at: Iterable[int]) -> Iterator[bytes]:
    """Cut bytes into pieces at some offsets; the pieces joined are the bytes again.

    Args:
        data: The bytes.
        at: Offsets in any order, repeated or beyond the end as they like.
    """
    start = 0
    for offset in sorted(set(at)):
        if start < offset < len(data):
            yield data[start:offset]
            start = offset
    if data[start:]:
        yield data[start:]


class _Stage:
    """One dialogue while it runs."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.sent: list[bytes] = []
        self.handshakes = 0

    def play(self, pieces: list[bytes], end: Closed | None) -> Dialogue:
        done = self.say(self.conversation.opening(), "opening")
        for index, piece in enumerate(pieces):
            if done is not None:
                return self.finished(done, unread=len(pieces) - index)
            done = self.react(self.conversation.receive(piece))
        if done is not None:
            return self.finished(done)
        result = self.conversation.expired() if end is None else self.conversation.closed(end)
        return self.finished(Done(result))

    def react(self, action: object) -> Done | None:
        if isinstance(action, StartTLS):
            self.handshakes += 1
            return self.say(self.conversation.secured(), "secured")
        if isinstance(action, Send):
            return self.say(action.data, "Send")
        if action is None:
            return None
        if isinstance(action, Done):
            return action
        raise TypeError(f"receive() returned {action!r}: wanted Send, StartTLS, Done or None")

    def say(self, data: object, where: str) -> Done | None:
        if isinstance(data, Done):
            return data
        if not isinstance(data, bytes):
            raise TypeError(f"{where} gave {data!r}: wanted bytes")
        if data:
            self.sent.append(data)
        return None

    def finished(self, done: Done, unread: int = 0) -> Dialogue:
        result: object = done.result
        farewell: object = done.farewell
        if not isinstance(result, ProbeResult) or not isinstance(farewell, bytes):
            raise TypeError(f"the verdict is {done!r}: wanted a ProbeResult and bytes")
        return Dialogue(result, tuple(self.sent), farewell, self.handshakes, unread)
