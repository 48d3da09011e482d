"""Commands: checked, carried out, kept, written to the audit record; and previewed by the same rules."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import attrs

from maglev.api import (
    Actor,
    BackendState,
    BadArgument,
    Command,
    CommandError,
    CommandResult,
    DisableBackend,
    EnableBackend,
    FailedPrecondition,
    NotConnected,
    PauseBackend,
    Preview,
    ReloadConfig,
    ResetBackend,
    ResetFrontendPoolBackendWeight,
    ResumeBackend,
    SetFrontendPoolBackendWeight,
    SyncDataplane,
    UnknownName,
)
from maglev.config import ConfigError, Loaded, nearest
from maglev.config.resolve import frontends
from maglev.domain import health as machine
from maglev.domain.model import BackendStatus, Frontend
from maglev.domain.weights import table_weight
from maglev.runtime import reload as reloading
from maglev.runtime.backends import Backend
from maglev.runtime.logging import get_logger
from maglev.runtime.overrides import AdminOverride, Overrides, StateError, WeightKey, WeightOverride
from maglev.runtime.passes import Outcome, Scope
from maglev.runtime.previews import Hypothesis

if TYPE_CHECKING:
    from maglev.runtime.controller import Controller

Address = IPv4Address | IPv6Address
AdminCommand = PauseBackend | ResumeBackend | DisableBackend | EnableBackend | ResetBackend
WeightCommand = SetFrontendPoolBackendWeight | ResetFrontendPoolBackendWeight

log = get_logger("maglev.audit")


class Commands:
    """Carries out commands on a controller, one at a time.

    Args:
        controller: Whose state they change.
    """

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._one_at_a_time = anyio.Lock()

    async def run(self, command: Command, actor: Actor) -> CommandResult:
        """Carry out a command and write it to the audit record; raises as `Control.command` says."""
        try:
            async with self._one_at_a_time:
                result = await self._dispatch(command)
        except CommandError as error:
            _audit(command, actor, refused=str(error))
            raise
        except BaseException as error:  # a fault of ours, or cancelled: what was done of it is not known
            _audit(command, actor, broken_off=f"{type(error).__name__}: {error}".removesuffix(": "))
            raise
        _audit(command, actor, changed=result.changed, messages=result.messages, errors=result.errors)
        return result

    async def preview(self, command: Command) -> Preview:
        """Tell what a command would do; raises as `run` does."""
        match command:
            case SyncDataplane():
                return await self._preview_sync(command)
            case ReloadConfig():
                return await self._preview_reload(command)
            case SetFrontendPoolBackendWeight() | ResetFrontendPoolBackendWeight():
                key, spec = self._weight_key(command)
                overrides = self._weight_override(command, key)
                return await self._preview_weight(overrides, spec.name, self._rounding(command, spec))
            case _:
                return await self._preview_admin(command)

    def known(self, kind: str, name: str, names: Collection[str]) -> None:
        """Make sure that a name exists.

        Raises:
            UnknownName: It does not.
        """
        if name not in names:
            raise UnknownName(kind, name, nearest(name, names))

    async def _dispatch(self, command: Command) -> CommandResult:
        match command:
            case SyncDataplane():
                return await self._sync(command)
            case ReloadConfig():
                return await self._counted_reload(command)
            case SetFrontendPoolBackendWeight() | ResetFrontendPoolBackendWeight():
                return await self._weight(command)
            case _:
                return await self._admin(command)

    # --- admin state ----------------------------------------------------------------------------------------------

    async def _admin(self, command: AdminCommand) -> CommandResult:
        controller = self._controller
        backend = self._backend(command.backend)
        changed = self._act(backend, command)
        before = controller.overrides
        controller.overrides = before.with_admin(backend.name, _admin_override(backend, command))
        backend.overridden = backend.name in controller.overrides.admin
        messages = await self._keep(before)
        addresses = {controller.frontends.specs[name].vip.address for name in backend.frontends}
        told, errors = await self._settle(addresses)
        return CommandResult(changed or before != controller.overrides, (*messages, *told), errors)

    def _act(self, backend: Backend, command: AdminCommand) -> bool:
        backends = self._controller.backends
        acts: dict[type, Callable[[Backend], bool]] = {
            PauseBackend: backends.pause,
            ResumeBackend: backends.resume,
            DisableBackend: backends.disable,
            EnableBackend: backends.enable,
            ResetBackend: backends.as_filed,
        }
        return acts[type(command)](backend)

    async def _preview_admin(self, command: AdminCommand) -> Preview:
        backend = self._backend(command.backend)
        state, messages = _after(backend, command)
        statuses = self._controller.backends.statuses()
        then = {**statuses, backend.name: BackendStatus(state, "previewed")}
        hypothesis = Hypothesis(self._controller.frontends.specs, then)
        return await self._preview(hypothesis, backend.frontends, messages)

    def _backend(self, name: str) -> Backend:
        self.known("backend", name, self._controller.backends.all())
        return self._controller.backends[name]

    # --- weights --------------------------------------------------------------------------------------------------

    async def _weight(self, command: WeightCommand) -> CommandResult:
        controller = self._controller
        key, spec = self._weight_key(command)
        before = controller.overrides
        controller.overrides = self._weight_override(command, key)
        if controller.overrides == before:
            return CommandResult(changed=False)
        messages = [*self._rounding(command, spec)]
        controller.respecify()
        messages += await self._keep(before)
        told, errors = await self._settle({spec.vip.address})
        return CommandResult(changed=True, messages=(*messages, *told), errors=errors)

    def _weight_key(self, command: WeightCommand) -> tuple[WeightKey, Frontend]:
        specs = self._controller.frontends.specs
        self.known("frontend", command.frontend, specs)
        spec = specs[command.frontend]
        pools = {pool.name: pool for pool in spec.pools}
        self.known("pool", command.pool, pools)
        self.known("backend", command.backend, [member.backend for member in pools[command.pool].members])
        return (command.frontend, command.pool, command.backend), spec

    def _weight_override(self, command: WeightCommand, key: WeightKey) -> Overrides:
        if isinstance(command, ResetFrontendPoolBackendWeight):
            return self._controller.overrides.with_weight(key, None)
        if not 0 <= command.weight <= 100:
            raise BadArgument(f"weight {command.weight}: from 0 to 100 is allowed")
        filed = reloading.filed_weights(self._controller.config)[key]
        return self._controller.overrides.with_weight(key, WeightOverride(command.weight, filed))

    def _rounding(self, command: WeightCommand, spec: Frontend) -> tuple[str, ...]:
        if isinstance(command, ResetFrontendPoolBackendWeight):
            return ()
        step = self._controller.frontends.step(spec) or spec.step
        rounded = table_weight(command.weight, step)
        if not rounded.rounded:
            return ()
        return (f"weight {command.weight} counts as {rounded.value * step}: this VIP's table has steps of {step}",)

    async def _preview_weight(self, overrides: Overrides, frontend: str, messages: Iterable[str]) -> Preview:
        weights = {key: override.weight for key, override in overrides.weights.items()}
        specs = frontends(self._controller.config, weights)
        return await self._preview(Hypothesis(specs, self._controller.backends.statuses()), (frontend,), messages)

    # --- sync -----------------------------------------------------------------------------------------------------

    async def _sync(self, command: SyncDataplane) -> CommandResult:
        addresses = self._sync_addresses(command)
        scope = Scope("operator", addresses, recreate=command.recreate, prune=command.prune, reread=True)
        outcome = await self._controller.reconciler.settle(scope)
        done = [f"{kind}: {count}" for kind, count in sorted(outcome.operations.items())]
        return CommandResult(bool(done) and not outcome.errors, (*done, *self._told(outcome)), outcome.errors)

    def _sync_addresses(self, command: SyncDataplane) -> tuple[Address, ...] | None:
        if command.frontend is None:
            return None
        specs = self._controller.frontends.specs
        self.known("frontend", command.frontend, specs)
        return (specs[command.frontend].vip.address,)

    async def _preview_sync(self, command: SyncDataplane) -> Preview:
        controller = self._controller
        addresses = self._sync_addresses(command)
        if controller.reconciler.session is None:
            raise NotConnected(f"no connection to the dataplane: {controller.reconciler.detail}")
        specs, statuses = controller.frontends.specs, controller.backends.statuses()
        hypothesis = Hypothesis(specs, statuses, recreate=command.recreate, prune=command.prune)
        names = specs if addresses is None else controller.frontends.names(addresses)
        return await self._preview(hypothesis, names, ())

    # --- reload ---------------------------------------------------------------------------------------------------

    async def _counted_reload(self, command: ReloadConfig) -> CommandResult:
        reloads = self._controller.reloads
        try:
            result = await self._reload(command)
        except Exception:
            reloads["failure"] += 1
            raise
        reloads["success"] += 1
        return result

    async def _reload(self, command: ReloadConfig) -> CommandResult:
        loaded = await self._load()
        try:
            messages = self._controller.apply(loaded, "reload", force=command.force)
        except ValueError as error:
            raise FailedPrecondition(f"the configuration stays as it was: {error}") from error
        told, errors = await self._settle(None, "reload")
        return CommandResult(changed=True, messages=(*messages, *map(str, loaded.warnings), *told), errors=errors)

    async def _load(self) -> Loaded:
        try:
            return await self._controller.settings.reload()
        except ConfigError as error:
            raise FailedPrecondition(f"the configuration stays as it was:\n{error}") from error

    async def _preview_reload(self, command: ReloadConfig) -> Preview:
        controller = self._controller
        loaded = await self._load()
        config = loaded.config
        kept = controller.overrides.against(reloading.filed_enabled(config), reloading.filed_weights(config))
        specs = frontends(config, {key: override.weight for key, override in kept.weights.items()})
        reloading.brake(controller.frontends.specs, specs, force=command.force)
        statuses = {
            name: controller.backends[name].status
            if name in controller.backends and controller.backends[name].config.address == backend.address
            else BackendStatus(BackendState.UNKNOWN if backend.healthcheck else BackendState.UP)
            for name, backend in config.backends.items()
        }
        messages = (*reloading.needs_restart(controller.config, config), *map(str, loaded.warnings))
        rebuild = frozenset(spec.vip for spec in specs.values())
        names = {**controller.frontends.specs, **specs}
        return await self._preview(Hypothesis(specs, statuses, rebuild=rebuild), names, messages)

    # --- what they share ------------------------------------------------------------------------------------------

    async def _preview(self, hypothesis: Hypothesis, names: Iterable[str], messages: Iterable[str]) -> Preview:
        controller = self._controller
        told = [*messages]
        if controller.reconciler.session is None:
            told.append(f"the dataplane is not connected ({controller.reconciler.detail}): this is what is wanted")
        statuses = controller.backends.statuses()
        previews = [await controller.previews.frontend(name, hypothesis, statuses) for name in names]
        return Preview(tuple(preview for preview in previews if preview is not None), tuple(told))

    async def _keep(self, before: Overrides) -> list[str]:
        controller = self._controller
        if controller.overrides == before:
            return []
        try:
            await anyio.to_thread.run_sync(controller.store.save, controller.overrides)
        except StateError as error:
            log.exception("override-not-kept")
            return [f"in force, but lost at the next restart: {error}"]
        return []

    async def _settle(
        self, addresses: Collection[Address] | None, scope: str = "transition"
    ) -> tuple[Sequence[str], tuple[str, ...]]:
        """Have it written, and return what is to be known of that, and what failed."""
        try:
            settled = None if addresses is None else tuple(addresses)
            outcome = await self._controller.reconciler.settle(Scope(scope, settled))
        except NotConnected as error:
            return [f"to be written when the dataplane is back: {error}"], ()
        return self._told(outcome), outcome.errors

    def _told(self, outcome: Outcome) -> Sequence[str]:
        told = []
        if outcome.held:
            told.append(f"held back while the warm-up lasts: {', '.join(map(str, outcome.held))}")
        if outcome.operations and self._controller.reconciler.passes.observe:
            told.append("observing: nothing was written")
        return told


def _admin_override(backend: Backend, command: AdminCommand) -> AdminOverride | None:
    """What to keep: the state that the command left the backend in, unless that is what the file says anyway."""
    if isinstance(command, ResetBackend):
        return None
    state, filed = backend.health.state, backend.config.enabled
    if state is BackendState.PAUSED:
        return AdminOverride("paused", filed)
    enabled = state is not BackendState.DISABLED
    return None if enabled == filed else AdminOverride("enabled" if enabled else "disabled", filed)


def _after(backend: Backend, command: AdminCommand) -> tuple[BackendState, list[str]]:
    """The state a command leads to; one that needs a probe to pass is previewed as if it had."""
    rules: dict[type, Callable[[], machine.Health]] = {
        PauseBackend: lambda: machine.pause(backend.health),
        ResumeBackend: lambda: machine.resume(backend.health, backend.rule),
        DisableBackend: lambda: machine.disable(backend.health),
        EnableBackend: lambda: machine.enable(backend.health, backend.rule),
        ResetBackend: lambda: (
            machine.enable(backend.health, backend.rule) if backend.config.enabled else machine.disable(backend.health)
        ),
    }
    state = rules[type(command)]().state
    if state is BackendState.UNKNOWN and backend.health.state is not BackendState.UNKNOWN:
        return BackendState.UP, [
            f"{backend.name} is probed from unknown; this is what follows once its first probe passes"
        ]
    return state, []


def _audit(command: Command, actor: Actor, **result: object) -> None:
    log.info(
        "audit",
        command=type(command).__name__,
        **{f"arg_{name}": value for name, value in attrs.asdict(command).items()},
        who=actor.name,
        via=actor.via,
        peer=actor.peer,
        **result,
    )
