"""A request that waits for its reply."""

from __future__ import annotations

import asyncio

import attrs

from maglev.api import DataplaneError


@attrs.define(eq=False)
class Call:
    """A request that waits for its reply.

    Args:
        name: The message's name.
        reply_number: The message number of its reply.
        future: Gets the reply, or the error. It never gets an exception, which asyncio would log if nobody waits.
        sent_s: When it was sent, on the loop's clock.
        deadline_s: When it times out, on the loop's clock.
        details_number: The message number of a dump's rows.
        rows: The rows received so far.
    """

    name: str
    reply_number: int
    future: asyncio.Future[bytes | DataplaneError]
    sent_s: float
    deadline_s: float
    details_number: int = -1
    rows: list[bytes] = attrs.field(factory=list)

    def finish(self, outcome: bytes | DataplaneError) -> None:
        """Hand the reply or the error to whoever still waits."""
        if not self.future.done():
            self.future.set_result(outcome)

    async def reply(self) -> bytes:
        """Wait for the reply.

        Raises:
            DataplaneError: No reply within the deadline, or the connection is lost.
        """
        outcome = await self.future
        if isinstance(outcome, DataplaneError):
            raise outcome
        return outcome
