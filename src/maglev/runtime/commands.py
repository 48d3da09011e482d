"""Carries commands out by one function, for real and to predict; real ones leave an audit record."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

import anyio
import attrs

from maglev.api import (
    Actor,
    Command,
    CommandError,
    CommandResult,
    FailedPrecondition,
    NotConnected,
    Problem,
    ReloadConfig,
    SyncDataplane,
)
from maglev.config import ConfigError
from maglev.domain.state import command as change
from maglev.domain.state import step, take_config
from maglev.domain.state.commands import AdminCommand, WeightCommand
from maglev.domain.state.sync import SyncRequest, operator_sync
from maglev.logs import AUDIT, outcome
from maglev.runtime.configuration import Configuration
from maglev.runtime.execution import Execution
from maglev.runtime.logging import get_logger
from maglev.runtime.overrides import StateError
from maglev.runtime.sync_run import SyncOutcome

log = get_logger(AUDIT)


Turn = Callable[[], AbstractAsyncContextManager[object]]


async def carry_out(
    command: Command, execution: Execution, configuration: Configuration, turn: Turn = nullcontext
) -> CommandResult:
    """Carry a command out, or predict what it would do.

    Args:
        command: The command.
        execution: Where: for real, or on a fork.
        configuration: Where a reload's configuration comes from.
        turn: Entered before anything is changed, once what that needs has been read.

    Raises:
        CommandError: It was refused, and nothing was changed.
    """
    if isinstance(command, ReloadConfig):
        return await _reload(command, execution, configuration, turn)
    async with turn():
        return await _change(command, execution)


async def _change(command: AdminCommand | WeightCommand | SyncDataplane, execution: Execution) -> CommandResult:
    match command:
        case SyncDataplane():
            outcome = await execution.settle(operator_sync(execution.state, command))
            done = [f"{kind}: {count}" for kind, count in sorted(outcome.operations.items())]
            told = _told(execution, outcome)
            return CommandResult(bool(done) and not outcome.errors, (*done, *told), outcome.errors)
        case _:
            effects, kept = await execution.change(change, command)
            told, errors = await _settle(execution, SyncRequest("transition", effects.sync))
            return CommandResult(effects.changed, (*effects.messages, *kept, *told), errors)


async def _reload(
    command: ReloadConfig, execution: Execution, configuration: Configuration, turn: Turn
) -> CommandResult:
    try:
        prepared = await configuration.prepare(await configuration.read())
    except ConfigError as error:
        raise FailedPrecondition(f"the configuration stays as it was:\n{error}") from error
    taken = False
    try:
        async with turn():
            messages, differs = configuration.messages(prepared), configuration.differs(prepared)
            effects, kept = await execution.change(take_config, prepared.resolved, force=command.force)
            execution.take(prepared)
            taken = True
            told, errors = await _settle(execution, SyncRequest("reload", effects.sync, conf=True))
            followed = await execution.hand_on()
    except Exception as error:
        if taken:
            raise
        raise _refused(error) from error
    finally:
        if not taken:
            configuration.discard(prepared)
    return CommandResult(
        changed=differs or effects.changed or bool(followed.messages),
        messages=(*effects.messages, *followed.messages, *messages, *kept, *told),
        errors=(*errors, *followed.errors),
    )


def _refused(error: Exception) -> FailedPrecondition:
    if not isinstance(error, FailedPrecondition | StateError):
        log.error("reload-failed", exc_info=error)
    what = str(error) if isinstance(error, FailedPrecondition | StateError) else f"{type(error).__name__}: {error}"
    return FailedPrecondition(f"the configuration stays as it was: {what}")


async def _settle(execution: Execution, request: SyncRequest) -> tuple[Sequence[str], tuple[str, ...]]:
    """Have it written, and return what is to be known of that, and what failed."""
    try:
        outcome = await execution.settle(request)
    except NotConnected as error:
        return [f"to be written when the dataplane is back: {error}"], ()
    return _told(execution, outcome), outcome.errors


def _told(execution: Execution, outcome: SyncOutcome) -> Sequence[str]:
    told = []
    if outcome.held:
        told.append(f"held until the warm-up ends: {', '.join(map(str, outcome.held))}")
    if outcome.operations and execution.observe:
        told.append("observing: nothing was written")
    return told


class Commands:
    """Carries commands out for real, one at a time.

    Args:
        execution: Where they are carried out.
        configuration: The configuration in force.
    """

    def __init__(self, execution: Execution, configuration: Configuration) -> None:
        self._execution = execution
        self._configuration = configuration
        self._one_at_a_time = anyio.Lock()
        self._one_reload = anyio.Lock()
        """Held while a file is read, too, which may take long. Other commands do not wait for it."""

    async def run(self, command: Command, actor: Actor) -> CommandResult:
        """Carry a command out and write it to the audit record; raises as `Control.command` says.

        A command that is cancelled while it waits for its turn, or while it reads, changes nothing. One that has its
        turn is carried to its end.
        """
        begun = False

        @asynccontextmanager
        async def turn() -> AsyncIterator[None]:
            nonlocal begun
            async with self._one_at_a_time:
                begun = True
                with anyio.CancelScope(shield=True):
                    yield

        reading = self._one_reload if isinstance(command, ReloadConfig) else nullcontext()
        try:
            async with reading:
                result = await carry_out(command, self._execution, self._configuration, turn)
        except CommandError as error:
            self._finished(command, actor, "refused", refused=str(error))
            raise
        except BaseException as error:  # a fault of ours, or cancelled: what was done of it is not known
            if not begun and isinstance(error, anyio.get_cancelled_exc_class()):
                self._finished(command, actor, "refused", counts=False, refused="not carried out: its sender is gone")
            else:
                what = f"{type(error).__name__}: {error}".removesuffix(": ")
                self._finished(command, actor, "broken-off", broken_off=what)
            raise
        self._finished(
            command,
            actor,
            outcome(changed=result.changed, errors=result.errors),
            changed=result.changed,
            messages=result.messages,
            errors=result.errors,
        )
        return result

    async def check_config(self) -> Sequence[Problem]:
        """Say what a reload, or an exporter at a reload, would refuse; empty: nothing."""
        configuration = self._configuration
        try:
            prepared = await configuration.prepare(await configuration.read())
        except ConfigError as error:
            return error.problems
        try:
            step(self._execution.state.fork(), time.time(), take_config, prepared.resolved)
        except Exception as error:  # noqa: BLE001 - whatever it is, a reload would be refused for it
            return (Problem("", str(_refused(error)), severity="meaning"),)
        finally:
            configuration.discard(prepared)
        return await configuration.exporter_problems(prepared.loaded.config)

    def _finished(self, command: Command, actor: Actor, became: str, *, counts: bool = True, **result: object) -> None:
        if isinstance(command, ReloadConfig) and counts:
            failed = became in ("refused", "broken-off")
            self._configuration.reloads["failure" if failed else "success"] += 1
            why = str(result.get("refused", result.get("broken_off"))) if failed else None
            self._configuration.troubles.settle("reload", why)
        log.info(
            "audit",
            command=type(command).__name__,
            **{f"arg_{name}": value for name, value in attrs.asdict(command).items()},
            who=actor.name,
            via=actor.via,
            peer=actor.peer,
            why=actor.why,
            outcome=became,
            **result,
        )
