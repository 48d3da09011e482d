"""Carries commands out: on the live State, or on a fork of it to predict their effect."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import ParamSpec, Protocol

from maglev.api import DataplaneError, DataplaneState, Ok, Operation, OperationResult, Session
from maglev.domain.overrides import OperatorOverrides
from maglev.domain.state import Change, Effects, State, step, take_config
from maglev.domain.state.sync import SyncRequest
from maglev.runtime.configuration import Configuration, Followed, Prepared
from maglev.runtime.overrides import OverrideStore, StateError
from maglev.runtime.probe_jobs import ProbeJobs
from maglev.runtime.reconciler import Reconciler
from maglev.runtime.saving import Saver
from maglev.runtime.state_store import ForkStore, StateStore
from maglev.runtime.sync_run import SyncOutcome, SyncRun, within_deadline

P = ParamSpec("P")


class Execution(Protocol):
    """The operations that a command needs."""

    @property
    def state(self) -> State:
        """The State that is changed."""
        ...

    @property
    def observe(self) -> bool:
        """Whether nothing is written to the dataplane."""
        ...

    async def change(self, change: Change[P], *arguments: P.args, **options: P.kwargs) -> tuple[Effects, Sequence[str]]:
        """Take one step wholly or not at all, and keep what has to outlive a restart.

        Args:
            change: As `maglev.domain.state.step` has it.
            arguments: The step's own arguments, as `maglev.domain.state.step` has them.
            options: The step's keyword arguments.

        Returns:
            Its effects, and what whoever gave the command should know.

        Raises:
            StateError: It could not be kept, and `change` is a reload that drops an override.
        """
        ...

    def take(self, prepared: Prepared) -> None:
        """The step has taken a configuration over. To be called before anything is awaited."""
        ...

    async def settle(self, request: SyncRequest) -> SyncOutcome:
        """Have the dataplane follow; raises `NotConnected`."""
        ...

    async def hand_on(self) -> Followed:
        """Have whoever serves take its part of the configuration in force."""
        ...


_NOTHING = Followed()


class Live:
    """Carries out for real.

    Args:
        store: The live State.
        overrides: The state file.
        configuration: The configuration in force.
        jobs: The probe jobs.
        reconciler: The dataplane.
    """

    def __init__(
        self,
        store: StateStore,
        overrides: OverrideStore,
        configuration: Configuration,
        jobs: ProbeJobs,
        reconciler: Reconciler,
    ) -> None:
        self._store = store
        self._saver = Saver(overrides, partial(configuration.troubles.over, "state"))
        self._configuration = configuration
        self._jobs = jobs
        self._reconciler = reconciler

    @property
    def state(self) -> State:
        """The live State."""
        return self._store.state

    @property
    def observe(self) -> bool:
        """Whether nothing is written to the dataplane."""
        return self._reconciler.observe

    async def change(self, change: Change[P], *arguments: P.args, **options: P.kwargs) -> tuple[Effects, Sequence[str]]:
        """Try the step on a fork, keep its overrides, and take it over; as `Execution.change`."""
        tried = partial(self._tried, change, *arguments, **options)
        fork, effects = tried()
        messages: Sequence[str] = ()
        if fork.overrides != self._saver.latest:
            # An override that a reload drops must not come back; what an earlier command could not save is lost anyway.
            must_save = change is take_config and fork.overrides != self.state.overrides
            messages = await self._save(fork.overrides, must_save=must_save)
            try:
                fork, effects = tried()  # The State went on meanwhile.
            except Exception:
                # Nothing has changed, so the file goes back to what is in force.
                await self._save(self.state.overrides, must_save=False)
                raise
        self._jobs.follow()
        self._store.adopt(fork, effects)
        return effects, messages

    def take(self, prepared: Prepared) -> None:
        """Bring a configuration into force."""
        self._configuration.take(prepared)

    async def settle(self, request: SyncRequest) -> SyncOutcome:
        """Have the reconciler make a sync run."""
        return await self._reconciler.settle(request)

    async def hand_on(self) -> Followed:
        """Tell the exporters."""
        return await self._configuration.hand_on()

    def _tried(self, change: Change[P], *arguments: P.args, **options: P.kwargs) -> tuple[State, Effects]:
        fork = self._store.state.fork()
        return fork, step(fork, time.time(), change, *arguments, **options)

    async def _save(self, overrides: OperatorOverrides, *, must_save: bool) -> Sequence[str]:
        try:
            await self._saver.save(overrides)
        except StateError as error:
            if must_save:
                self._saver.instead(self.state.overrides)  # refused: what is in force stays, in the file too
                raise
            self._configuration.troubles.report("state", str(error))
            return [f"in force, but lost at the next restart: {error}"]
        self._configuration.troubles.over("state")
        return ()


class Predicted:
    """Predicts on a fork of the live State; the dataplane is read, and acknowledges everything.

    Args:
        live: The State.
        configuration: The configuration in force.
        reconciler: The dataplane.
    """

    def __init__(self, live: State, configuration: Configuration, reconciler: Reconciler) -> None:
        self._live = live
        self._store = ForkStore(live.fork())
        self._configuration = configuration
        self._reconciler = reconciler
        self._writer = None if reconciler.session is None else _Acknowledging(reconciler.session)
        self._run = SyncRun(self._store)
        self._lost = ""
        self.awaiting: list[str] = []
        """Backends whose weight follows from their first probe."""
        self.written: list[Operation] = []
        """What would be written, in order."""

    @property
    def state(self) -> State:
        """The fork."""
        return self._store.state

    @property
    def observe(self) -> bool:
        """Whether nothing would be written to the dataplane."""
        return self._reconciler.observe

    async def read(self) -> None:
        """Read the dataplane, if there is a connection; if it cannot be read, there is none from now on."""
        if self._writer is not None:
            try:
                await within_deadline("read", self._writer.read)
                # What was decided and written while it was read belongs to what was read.
                self._store.state = self._live.fork()
                await self._run.read(self._writer)
            except DataplaneError as error:
                self._writer, self._lost = None, str(error)

    async def change(self, change: Change[P], *arguments: P.args, **options: P.kwargs) -> tuple[Effects, Sequence[str]]:
        """Take the step on the fork."""
        effects = self._store.step(change, *arguments, **options)
        self.awaiting += effects.awaiting
        return effects, ()

    def take(self, prepared: Prepared) -> None:
        """Let go what was built."""
        self._configuration.discard(prepared)

    async def settle(self, request: SyncRequest) -> SyncOutcome:
        """Make the sync run that the reconciler would make."""
        if self._writer is None:
            raise self._reconciler.not_connected(self._lost)
        progress = await self._run.run(self._writer, request)
        self.written += progress.written
        return progress.outcome()

    async def hand_on(self) -> Followed:
        """Tell nobody."""
        return _NOTHING


class _Acknowledging:
    """Reads the real dataplane, once, and acknowledges operations without sending them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._state: DataplaneState | None = None

    async def read(self) -> DataplaneState:
        if self._state is None:
            self._state = await self._session.read()
        return self._state

    async def apply(self, phase: Sequence[Operation]) -> Sequence[OperationResult]:
        return [Ok()] * len(phase)
