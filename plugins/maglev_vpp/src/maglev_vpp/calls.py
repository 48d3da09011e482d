"""Calls that wait for their replies: found by context, each with a deadline, all failing at once at the end."""

from __future__ import annotations

import asyncio
from itertools import count

import attrs

from maglev.api import DataplaneError

Answer = bytes | DataplaneError
"""A reply as it came, or why there is none."""


@attrs.define(eq=False)
class Call:
    """A request that waits for its reply.

    Args:
        name: The message.
        reply_id: The number of its reply.
        future: Gets the answer; never an exception, so that an abandoned call makes no noise.
        sent_s: When it was sent, on the loop's clock.
        deadline_s: When its reply is too late.
        details_id: The number of the rows that come before the end of a dump.
        rows: The rows so far.
    """

    name: str
    reply_id: int
    future: asyncio.Future[Answer]
    sent_s: float
    deadline_s: float
    details_id: int = -1
    rows: list[bytes] = attrs.field(factory=list)

    def settle(self, answer: Answer) -> None:
        """Give the answer to whoever still waits for it."""
        if not self.future.done():
            self.future.set_result(answer)

    async def answer(self) -> bytes:
        """Wait for what becomes of it.

        Raises:
            DataplaneError: No reply within the deadline, or the connection is gone.
        """
        answer = await self.future
        if isinstance(answer, DataplaneError):
            raise answer
        return answer


class Pending:
    """The calls in flight, in the order in which they were sent."""

    def __init__(self) -> None:
        self._calls: dict[int, Call] = {}
        self._contexts = count(1)

    def __len__(self) -> int:
        return len(self._calls)

    def context(self) -> int:
        """A number that no other call has."""
        return next(self._contexts) & 0xFFFFFFFF

    def add(self, context: int, call: Call) -> None:
        """Wait for the reply with this context."""
        self._calls[context] = call

    def remove(self, context: int) -> None:
        """Wait no more."""
        self._calls.pop(context, None)

    def take(self, number: int, context: int, message: bytes) -> Call | None:
        """Find whose a message is.

        Args:
            number: The message's number.
            context: The context that it has.
            message: The whole; kept if it is a row of a dump.

        Returns:
            The call that it belongs to; no longer in flight if this is its reply. `None` if it is nobody's.
        """
        call = self._calls.get(context)
        if call is not None and number == call.details_id:
            call.rows.append(message)
            return call
        if call is not None and number == call.reply_id:
            return self._calls.pop(context)
        return None

    def silent_since_s(self, heard_s: float) -> float | None:
        """Since when an answer has been due, with something heard at `heard_s`; `None` if none is due."""
        oldest = next(iter(self._calls.values()), None)
        return None if oldest is None else max(oldest.sent_s, heard_s)

    def overdue(self, now_s: float) -> list[Call]:
        """Take out the calls whose deadline has passed."""
        late = [(context, call) for context, call in self._calls.items() if call.deadline_s < now_s]
        for context, _call in late:
            del self._calls[context]
        return [call for _context, call in late]

    def fail(self, why: DataplaneError) -> None:
        """Let all of them fail."""
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.settle(why)
