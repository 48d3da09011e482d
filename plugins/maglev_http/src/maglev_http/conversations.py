"""The two conversations over HTTP/1.1: one judges the status alone, one reads the body too."""

from __future__ import annotations

import re

from maglev.api import Closed, Code, Conversation, Done, ProbeResult
from maglev_http.body import Body, body_of, length_of
from maglev_http.head import LIMIT, Head, HeadReader, Malformed
from maglev_http.rest import Rest
from maglev_http.verdicts import Verdicts

_HOW = {Closed.EOF: "closed by the peer", Closed.RESET: "reset by the peer"}
_lengths = re.compile(rb"\ncontent-length(?::[ \t]*([0-9]{1,18})(?=\r\n(?![ \t])))?", re.IGNORECASE).findall
"""Finds what Content-Length says in a head; an empty value is one that must be looked at more closely."""
LATE_ANSWER = ProbeResult(Code.L7TOUT, "connected, but no answer in time")
_LATE_HEAD = ProbeResult(Code.L7TOUT, "the answer's head was not complete in time")


class HeadConversation(Conversation):
    """Asks, and judges the status at the end of the head."""

    __slots__ = ("_answer", "_reader", "_request", "_verdicts")

    _answer: bytes | Head | Rest | None
    """What was judged, and then the rest that is being heard out; `None` where all was judged."""
    _reader: HeadReader | None

    def __init__(self, request: bytes, verdicts: Verdicts) -> None:
        self._request = request
        self._verdicts = verdicts
        self._reader = None

    def opening(self) -> bytes:
        return self._request

    def receive(self, data: bytes) -> Done | None:
        if self._reader is None:
            # Nearly always the head arrives at once, with a status seen before: then nothing need be built.
            done = self._verdicts.known.get(data[:13])
            end = data.find(b"\r\n\r\n", 0, LIMIT) if done else 0
            if done and end > 0 and data.find(b"\r") + 1 == data.find(b"\n"):
                lengths = _lengths(data, 0, end + 2)
                if not lengths or (len(lengths) == 1 and lengths[0]):
                    self._answer = data
                    return done
            self._reader = HeadReader()
        try:
            head = self._reader.feed(data)
            return None if head is None else self._judge(head)
        except Malformed as error:
            return Done(ProbeResult(Code.L7RSP, str(error)))

    def _judge(self, head: Head) -> Done:
        self._answer = head
        if head.status in self._verdicts.codes:
            length_of(head)  # one that contradicts itself is no answer, though nobody reads the body
        return self._verdicts.of_status(head.status)

    def drain(self, data: bytes) -> bool:
        answer = self._answer
        if isinstance(answer, bytes):
            self._reader = HeadReader()
            answer = self._reader.feed(answer)
        if isinstance(answer, Head):
            answer = Rest(body_of(answer, "HEAD" if self._request.startswith(b"HEAD ") else ""))
            data = self._reader.take_rest() + data if self._reader else data
        self._answer = answer
        return answer is None or answer.take(data)

    def closed(self, why: Closed) -> ProbeResult:
        what = "without an answer" if self._silent() else "before the answer's head was complete"
        return ProbeResult(Code.L7RSP, f"{_HOW[why]} {what}")

    def expired(self) -> ProbeResult:
        return LATE_ANSWER if self._silent() else _LATE_HEAD

    def _silent(self) -> bool:
        return self._reader is None or self._reader.empty


class BodyConversation(HeadConversation):
    """Asks, and judges the status at the end of the head, the body at its end or when enough of it is there."""

    __slots__ = ("_body", "_method", "_status")

    _reader: HeadReader  # type: ignore[mutable-override]  # never None here: no quick path

    def __init__(self, request: bytes, verdicts: Verdicts, method: str) -> None:
        # Not by the base class's constructor, which would cost each probe another frame.
        self._request = request
        self._verdicts = verdicts
        self._method = method
        self._reader = HeadReader()
        self._status = 0
        self._body: Body | None = None

    def receive(self, data: bytes) -> Done | None:
        try:
            return self._read_head(data) if self._body is None else self._read_body(self._body, data)
        except Malformed as error:
            return Done(ProbeResult(Code.L7RSP, str(error)))

    def _read_head(self, data: bytes) -> Done | None:
        head = self._reader.feed(data)
        if head is None:
            return None
        if head.status not in self._verdicts.codes:
            self._answer = head
            return self._verdicts.of_status(head.status)
        self._answer = None  # the body is judged at its end
        self._status = head.status
        self._body = body = body_of(head, self._method)
        if body is None:
            return self._verdicts.of_content(head.status, b"")
        return self._read_body(body, self._reader.take_rest())

    def _read_body(self, body: Body, data: bytes) -> Done | None:
        return self._verdicts.of_content(self._status, bytes(body.content)) if body.feed(data) else None

    def closed(self, why: Closed) -> ProbeResult:
        if self._body is None:
            return super().closed(why)
        if why is Closed.EOF and self._body.ends_with_connection:
            return self._verdicts.of_content(self._status, bytes(self._body.content)).result
        return ProbeResult(Code.L7RSP, f"{_HOW[why]} {self._body.progress()}")

    def expired(self) -> ProbeResult:
        if self._body is None:
            return super().expired()
        return ProbeResult(Code.L7TOUT, f"time ran out {self._body.progress()}")
