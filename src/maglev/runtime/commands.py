"""Carries commands out by one function, for real and to predict; real ones leave an audit record."""

from __future__ import annotations

import time
from collections.abc import Sequence

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
from maglev.domain.state.sync import SyncRequest, operator_sync
from maglev.logs import AUDIT, outcome
from maglev.runtime.configuration import Configuration
from maglev.runtime.execution import Execution
from maglev.runtime.logging import get_logger
from maglev.runtime.overrides import StateError
from maglev.runtime.sync_run import SyncOutcome

log = get_logger(AUDIT)


async def carry_out(command: Command, execution: Execution, configuration: Configuration) -> CommandResult:
    """Carry a command out, or predict what it would do.

    Args:
        command: The command.
        execution: Where: for real, or on a fork.
        configuration: Where a reload's configuration comes from.

    Raises:
        CommandError: It was refused, and nothing was changed.
    """
    match command:
        case SyncDataplane():
            outcome = await execution.settle(operator_sync(execution.state, command))
            done = [f"{kind}: {count}" for kind, count in sorted(outcome.operations.items())]
            told = _told(execution, outcome)
            return CommandResult(bool(done) and not outcome.errors, (*done, *told), outcome.errors)
        case ReloadConfig():
            return await _reload(command, execution, configuration)
        case _:
            effects, kept = await execution.change(change, command)
            told, errors = await _settle(execution, SyncRequest("transition", effects.sync))
            return CommandResult(effects.changed, (*effects.messages, *kept, *told), errors)


async def _reload(command: ReloadConfig, execution: Execution, configuration: Configuration) -> CommandResult:
    try:
        prepared = await configuration.prepare(await configuration.read())
    except ConfigError as error:
        raise FailedPrecondition(f"the configuration stays as it was:\n{error}") from error
    try:
        messages = configuration.messages(prepared)
        effects, kept = await execution.change(take_config, prepared.resolved, force=command.force)
    except BaseException as error:
        configuration.discard(prepared)
        if isinstance(error, Exception):
            raise _refused(error) from error
        raise
    execution.take(prepared)
    told, errors = await _settle(execution, SyncRequest("reload", effects.sync, conf=True))
    return CommandResult(changed=True, messages=(*messages, *kept, *told), errors=errors)


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
        told.append(f"held back while the warm-up lasts: {', '.join(map(str, outcome.held))}")
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

    async def run(self, command: Command, actor: Actor) -> CommandResult:
        """Carry a command out and write it to the audit record; raises as `Control.command` says."""
        try:
            async with self._one_at_a_time:
                result = await carry_out(command, self._execution, self._configuration)
        except CommandError as error:
            self._finished(command, actor, "refused", refused=str(error))
            raise
        except BaseException as error:  # a fault of ours, or cancelled: what was done of it is not known
            self._finished(
                command, actor, "broken-off", broken_off=f"{type(error).__name__}: {error}".removesuffix(": ")
            )
            raise
        done = {"changed": result.changed, "messages": result.messages, "errors": result.errors}
        self._finished(command, actor, outcome(changed=result.changed, errors=result.errors), **done)
        return result

    async def check_config(self) -> Sequence[Problem]:
        """Say what a reload would refuse; an empty answer means that it would take the configuration."""
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
        return ()

    def _finished(self, command: Command, actor: Actor, became: str, **result: object) -> None:
        if isinstance(command, ReloadConfig):
            self._configuration.reloads["failure" if became in ("refused", "broken-off") else "success"] += 1
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
