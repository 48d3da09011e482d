"""Runs a `Conversation` on scripted bytes, without sockets: the quickest test of a `StreamChecker`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from maglev.api import Closed, Conversation, Done, ProbeResult, Send, StartTLS

LOOPBACK_PORT = 4321


@attrs.frozen
class Transcript:
    """The bytes that a conversation sent, and its result.

    Args:
        result: The result.
        sent: What the checker sent, one item for the opening and for each `Send`; empty ones left out.
        last_send: What it sent with its verdict.
        handshakes: How often it asked for TLS.
        unread: How many of the server's pieces came after the verdict.
    """

    result: ProbeResult
    sent: tuple[bytes, ...] = ()
    last_send: bytes = b""
    handshakes: int = 0
    unread: int = 0

    @property
    def all_sent(self) -> bytes:
        """All that the checker sent before the verdict, in one."""
        return b"".join(self.sent)


def run_conversation(
    conversation: Conversation, server: bytes | Iterable[bytes] = b"", end: Closed | None = Closed.EOF
) -> Transcript:
    """Run a conversation on what a server would send.

    A checker that asks for TLS gets it at once: the pieces after that are what arrives inside.

    Args:
        conversation: A fresh one.
        server: The server's bytes: all at once, or in the pieces in which they shall arrive.
        end: How the server ends the connection after its last byte; `None`: it does not, and time runs out.

    Returns:
        The result and what was sent. Exceptions of the conversation pass through.

    Raises:
        TypeError: The conversation returned what the contract does not know.
    """
    pieces = [piece for piece in ([server] if isinstance(server, bytes) else server) if piece]
    log = _Log()
    done = log.send(conversation.opening(), "opening")
    unread = len(pieces)
    for piece in pieces:
        if done is not None:
            break
        unread -= 1
        done = log.react(conversation, conversation.receive(piece))
    if done is None:
        done = Done(conversation.expired() if end is None else conversation.closed(end))
    result: object = done.result
    last_send: object = done.last_send
    if not isinstance(result, ProbeResult) or not isinstance(last_send, bytes):
        raise TypeError(f"the verdict is {done!r}: wanted a ProbeResult and bytes")
    return Transcript(result, tuple(log.sent), last_send, log.handshakes, unread)


def split_at(data: bytes, at: Iterable[int]) -> Iterator[bytes]:
    """Split bytes at some offsets; the pieces joined are the bytes again.

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


class _Log:
    """The bytes that one conversation has sent so far."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.handshakes = 0

    def react(self, conversation: Conversation, action: object) -> Done | None:
        if isinstance(action, StartTLS):
            self.handshakes += 1
            return self.send(conversation.secured(), "secured")
        if isinstance(action, Send):
            return self.send(action.data, "Send")
        if action is None or isinstance(action, Done):
            return action
        raise TypeError(f"receive() returned {action!r}: wanted Send, StartTLS, Done or None")

    def send(self, data: object, where: str) -> Done | None:
        if isinstance(data, Done):
            return data
        if not isinstance(data, bytes):
            raise TypeError(f"{where} gave {data!r}: wanted bytes")
        if data:
            self.sent.append(data)
        return None
