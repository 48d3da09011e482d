"""Runs exporters, each in its own guarded task: one that crashes is logged and started again with back-off."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import anyio
import anyio.abc
import attrs

from maglev.api import Control, Exporter
from maglev.config.serving import exporter_problem_elsewhere
from maglev.runtime.configuration import Followed
from maglev.runtime.logging import get_logger
from maglev.runtime.troubles import Troubles

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0
STEADY_S = 60.0
"""An exporter that served this long starts over with the first delay when it crashes."""
RELOAD_WITHIN_S = 10.0

log = get_logger("maglev.exporters")


@attrs.define(eq=False)
class _Running:
    name: str
    make: Callable[[], Exporter]
    exporter: Exporter | None = None
    ready: anyio.Event = attrs.field(factory=anyio.Event)
    crashes: int = 0
    troubled: set[str] = attrs.field(factory=set)
    """Parts of it that do not work."""


class Supervisor:
    """Keeps exporters running. Nothing that an exporter does, its constructor included, gets past it.

    Args:
        control: What they see.
        clock_s: A monotonic clock in seconds.
        troubles: Takes which exporters do not serve.
    """

    def __init__(
        self,
        control: Control,
        clock_s: Callable[[], float] = anyio.current_time,
        troubles: Troubles | None = None,
    ) -> None:
        self._control = control
        self._troubles = troubles or Troubles()
        self._clock_s = clock_s
        self._running: dict[str, _Running] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The exporters that are being kept running."""
        return tuple(self._running)

    def start(self, group: anyio.abc.TaskGroup, name: str, make: Callable[[], Exporter]) -> None:
        """Keep one exporter running in a task group; one that has nothing to serve is left out.

        Args:
            group: Where it runs.
            name: The exporter's name.
            make: Makes it, now and again after each crash.
        """
        running = _Running(name, make)
        try:
            running.exporter = self._make(running)
            if not running.exporter.enabled:
                return
        except Exception:
            log.exception("exporter-not-made", exporter=name)
            running.exporter = None
        self._running[name] = running
        group.start_soon(self._keep, running, name=f"exporter {name}")

    async def ready(self, within_s: float) -> tuple[str, ...]:
        """Wait until clients can connect to all of them.

        Args:
            within_s: How long to wait at most, in seconds.

        Returns:
            The names of those that are not ready by then.
        """
        with anyio.move_on_after(within_s):
            for running in self._running.values():
                await running.ready.wait()
        late = tuple(name for name, running in self._running.items() if not running.ready.is_set())
        for name in late:
            if ("exporter", name) not in self._troubles and not self._running[name].troubled:
                self._troubles.report("exporter", f"not ready after {within_s:g} s", name)
        return late

    async def reload(self, options: Mapping[str, Any]) -> Followed:
        """Hand new options to the exporters; one that cannot take them keeps the old ones.

        Args:
            options: By exporter name; who is not named, or is down just now, is not told.

        Returns:
            What is different now, and who refused and why.
        """
        messages: list[str] = []
        errors: list[str] = []
        for name, running in self._running.items():
            if name not in options or running.exporter is None:
                continue
            try:
                messages += [f"exporter {name}: {what}" for what in await _reload(running.exporter, options[name])]
            except Exception as error:
                log.exception("exporter-reload-failed", exporter=name)
                errors.append(f"exporter {name} keeps its old options: {_words(error)}")
                self._troubles.report("exporter-options", _words(error), name)
            else:
                self._troubles.over("exporter-options", name)
        return Followed(tuple(messages), tuple(errors))

    def _make(self, running: _Running) -> Exporter:
        exporter = running.make()
        exporter.on_trouble = partial(self._part, running)
        return exporter

    def _part(self, running: _Running, what: str, why: str | None) -> None:
        (running.troubled.discard if why is None else running.troubled.add)(what)
        self._troubles.settle("exporter", why, f"{running.name} {what}")

    async def _keep(self, running: _Running) -> None:
        while True:
            started = self._clock_s()
            why = await self._serve(running)
            running.exporter = None
            for what in tuple(running.troubled):
                self._part(running, what, None)
            self._troubles.report("exporter", f"down, and tried again: {why}", running.name)
            if self._clock_s() - started > STEADY_S:
                running.crashes = 0
            await anyio.sleep(min(FIRST_DELAY_S * math.pow(2, running.crashes), LONGEST_DELAY_S))
            running.crashes += 1

    async def _serve(self, running: _Running) -> str:
        """Serve until it ends or crashes; returns why."""

        def ready() -> None:
            running.ready.set()
            self._troubles.over("exporter", running.name)
            if made:  # with the options in force
                self._troubles.over("exporter-options", running.name)

        made = running.exporter is None
        try:
            if running.exporter is None:
                running.exporter = self._make(running)
            await running.exporter.serve(self._control, ready)
            log.warning("exporter-ended", exporter=running.name)
        except anyio.get_cancelled_exc_class() as error:
            if anyio.current_effective_deadline() == -math.inf:
                raise
            # Not ours: some library cancelled its own task, which would end ours without a word.
            log.exception("exporter-crashed", exporter=running.name)
            return _words(error)
        except (Exception, SystemExit) as error:
            # A server library that cannot bind is apt to exit; only its exporter ends.
            log.exception("exporter-crashed", exporter=running.name)
            return _words(error)
        return "it ended"


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


async def _reload(exporter: Exporter, options: Any) -> Sequence[str]:
    # First elsewhere: a file that does not answer must not leave a thread of ours hanging.
    problem = await exporter_problem_elsewhere(type(exporter), options, RELOAD_WITHIN_S)
    if problem is not None:
        raise ValueError(problem)
    with anyio.fail_after(RELOAD_WITHIN_S):
        return await exporter.reload(options)
