"""One HTTP/1.1 request and its answer, without I/O: h11 writes the one and reads the other."""

from __future__ import annotations

import h11

from maglev_tester.outcome import ErrorClass
from maglev_tester.probes.answer import CUT, UNANSWERED, Answer, answer_of

MAX_BODY = 65_536
"""How much of a body is read, in bytes. The answer of a longer one is judged then."""
_END = h11.EndOfMessage()
_NEED_DATA = h11.NEED_DATA


class Exchange:
    """Writes one request without a body and reads its answer.

    `header` names, in lower case, who answered; `connection` is that of an earlier exchange, ready for the next.
    """

    __slots__ = ("_connection", "_head", "_header", "_request", "_size")

    def __init__(self, request: h11.Request, header: bytes, connection: h11.Connection | None = None) -> None:
        self._request = request
        self._header = header
        self._connection = connection or h11.Connection(h11.CLIENT)
        self._head: h11.Response | None = None
        self._size = 0

    def request(self) -> bytes:
        """The request's bytes. To be called once."""
        return (self._connection.send(self._request) or b"") + (self._connection.send(_END) or b"")

    def receive(self, data: bytes) -> Answer | None:
        """Read what the peer sent.

        Returns:
            The answer once it is complete, or cannot become one.
        """
        self._connection.receive_data(data)
        try:
            return self._read()
        except h11.RemoteProtocolError as error:
            return Answer("no-http", ErrorClass.HTTP, f"the answer is not HTTP: {error}")

    def closed(self) -> Answer:
        """Judge what was read when the peer ended the connection."""
        head = self._head
        if head is None:
            return UNANSWERED
        framing = {name for name, _ in head.headers} & {b"content-length", b"transfer-encoding"}
        return CUT if framing else self._answer(head)

    def next_connection(self) -> h11.Connection | None:
        """Return the state for the next exchange on this connection; `None` if the connection cannot be used again."""
        connection = self._connection
        done = connection.our_state is connection.their_state is h11.DONE
        if not done or connection.trailing_data[0]:
            return None
        connection.start_next_cycle()
        return connection

    def _read(self) -> Answer | None:
        while True:
            event = self._connection.next_event()
            if event is _NEED_DATA:
                return None
            if isinstance(event, h11.Response):
                self._head = event
            elif isinstance(event, h11.Data):
                self._size += len(event.data)
            if self._head is not None and (isinstance(event, h11.EndOfMessage) or self._size > MAX_BODY):
                return self._answer(self._head)

    def _answer(self, head: h11.Response) -> Answer:
        values = [value for name, value in head.headers if name == self._header]
        return answer_of(head.status_code, b", ".join(values).decode(errors="replace"))
