"""Answers the calls that change things: checks who may, records refusals, carries what has begun to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import anyio
from google.protobuf.message import Message

from maglev.api import Actor, BadArgument, Command, CommandError, CommandResult, Control
from maglev_grpc.convert import COMMANDS, command_of, to_message
from maglev_grpc.errors import ClientError, PermissionDenied, shutting_down
from maglev_grpc.server.audit import Audit
from maglev_grpc.server.calls import Answer, Call, Handler
from maglev_grpc.server.names import bounded_command


class Changes:
    """Answers the calls that change things.

    A command runs in a task of its own: a caller that hangs up, or whose deadline passes, does not stop it half way.
    One that has not begun by then (it waits for its turn, or for a file) is not carried out.

    Args:
        control: The running controller, which writes what it carries out to the audit record itself.
        audit: Takes what is refused before that.
    """

    def __init__(self, control: Control, audit: Audit) -> None:
        self._control = control
        self._audit = audit
        self._running: set[asyncio.Task[CommandResult | None]] = set()
        self._closing = False

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The handlers of calls, by the method's name."""
        return dict.fromkeys(COMMANDS, self.change)

    async def change(self, request: Message, call: Call) -> Answer:
        """Carry out the command that a request asks for."""
        try:
            command = self._checked(request, call)
        except (CommandError, ClientError) as refusal:
            self._audit.refused(call.name, call.caller, refusal, request)
            raise
        message: Answer = to_message(await self._carry_out(command, call.caller.actor))
        return message

    def _checked(self, request: Message, call: Call) -> Command:
        if not call.caller.may_change:
            raise PermissionDenied(f"{call.name}: {call.caller.why}")
        if self._closing:
            raise shutting_down()
        try:
            command = command_of(request)
        except ValueError as error:
            raise BadArgument(str(error)) from error
        bounded_command(command)
        return command

    async def _carry_out(self, command: Command, actor: Actor) -> CommandResult:
        scope = anyio.CancelScope()

        async def carry_out() -> CommandResult | None:
            with scope:  # what has begun is shielded from it
                return await self._control.command(command, actor)
            return None

        task = asyncio.get_running_loop().create_task(carry_out())
        self._running.add(task)
        task.add_done_callback(self._ended)
        try:
            result = await asyncio.shield(task)
        except asyncio.CancelledError:
            scope.cancel()
            raise
        assert result is not None  # noqa: S101 - the scope is cancelled nowhere else
        return result

    def _ended(self, task: asyncio.Task[CommandResult | None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # noticed, should nobody wait for it any more; the controller has logged it

    async def close(self, within_s: float) -> None:
        """Take no more commands, and wait for those that run.

        Args:
            within_s: How long at most, in seconds; the rest is cancelled.
        """
        self._closing = True
        with anyio.move_on_after(within_s):
            while self._running:
                await asyncio.wait(self._running)
        for task in self._running:
            task.cancel()
