"""A conversation over HTTP/1.1 that ends early at a redirect."""

from __future__ import annotations

from maglev.api import Action, Closed, Code, Conversation, Done, ProbeResult
from maglev_http.conversations import HeadConversation
from maglev_http.head import HeadReader, Malformed

REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""The statuses that lead elsewhere, where a `Location` says whereto."""
FOLLOWED = Done(ProbeResult(Code.L7STS, "a redirect"))
"""Ends a conversation whose `redirect` is to be followed: never anybody's verdict."""


class RedirectWatch(Conversation):
    """Lets another conversation judge, but where the answer is a redirect.

    Args:
        judge: The other conversation.
    """

    __slots__ = ("_judge", "_reader", "redirect")

    def __init__(self, judge: HeadConversation) -> None:
        self._judge = judge
        self._reader: HeadReader | None = HeadReader()
        self.redirect: tuple[int, bytes] | None = None
        """The status and the `Location` of a redirect."""

    def opening(self) -> bytes:
        return self._judge.opening()

    def receive(self, data: bytes) -> Action | None:
        if self._reader is not None:
            self.redirect = self._look(self._reader, data)
        return FOLLOWED if self.redirect else self._judge.receive(data)

    def closed(self, why: Closed) -> ProbeResult:
        return self._judge.closed(why)

    def expired(self) -> ProbeResult:
        return self._judge.expired()

    def _look(self, reader: HeadReader, data: bytes) -> tuple[int, bytes] | None:
        try:
            head = reader.feed(data)
            if head is None:
                return None
            self._reader = None
            places = head.fields().get(b"location") if head.status in REDIRECTS else None
        except Malformed:  # the judge finds that too, and says it
            self._reader = None
            return None
        return (head.status, places[0]) if places else None
