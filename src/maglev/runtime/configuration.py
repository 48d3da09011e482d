"""Owns the configuration in force. Another one is loaded, checked and built before anything changes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import anyio
import attrs

from maglev.api import Checker, Problem
from maglev.config import Config, Loaded
from maglev.config.resolve import resolve
from maglev.config.serving import exporter_problems_elsewhere
from maglev.domain.model import ResolvedConfig
from maglev.runtime.checkers import Checkers, build_beside, unused
from maglev.runtime.probe_jobs import ProbeJobs
from maglev.runtime.restart_only import needs_restart
from maglev.runtime.settings import Settings
from maglev.runtime.state_store import ProbeQueue
from maglev.runtime.troubles import Troubles


@attrs.frozen
class Prepared:
    """A configuration that may be taken over: nothing is left that could fail.

    Args:
        loaded: The configuration and its warnings.
        resolved: What it comes to.
        checkers: Its checkers, built.
        fresh: Those that were not in use before.
    """

    loaded: Loaded
    resolved: ResolvedConfig
    checkers: Checkers
    fresh: Sequence[Checker]


@attrs.frozen
class Followed:
    """The reaction of a follower to a new configuration.

    Args:
        messages: What is different there now, in words; empty: nothing.
        errors: What was refused there, in words.
    """

    messages: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


Follower = Callable[[Config], Awaitable[Followed]]


def prepared(loaded: Loaded, checkers: Checkers, old: Checkers) -> Prepared:
    """Put together what a configuration needs.

    Args:
        loaded: The configuration.
        checkers: Its checkers, built.
        old: Those in use.
    """
    return Prepared(loaded, resolve(loaded.config), checkers, unused(checkers, old))


class Configuration:
    """Owns the configuration in force.

    Args:
        settings: Where configurations come from.
        loaded: The configuration to start with.
        jobs: Uses the checkers.
        queue: Closes checkers that were built for nothing.
    """

    def __init__(self, settings: Settings, loaded: Loaded, jobs: ProbeJobs, queue: ProbeQueue) -> None:
        self.loaded = loaded
        self.loaded_at_s = time.time()
        self.reloads = {"success": 0, "failure": 0}
        self.troubles = Troubles()
        """What is wrong with the daemon itself."""
        self._started_with = loaded.config
        self._followers: list[Follower] = []
        self._settings = settings
        self._source = settings.source
        self._jobs = jobs
        self._queue = queue
        self._changed = anyio.Event()

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.loaded.config

    def read_from(self, source: Config | Path) -> None:
        """Set the source of the next reload: another file, or a configuration built in code."""
        self._source = source

    async def read(self) -> Loaded:
        """Read the configuration as it stands on disk, or was made in code.

        Raises:
            ConfigError: It is not valid; names every problem.
        """
        return await self._settings.reload(self._source)

    async def exporter_problems(self, config: Config) -> Sequence[Problem]:
        """Say what exporters could not serve with."""
        return await exporter_problems_elsewhere(config, self._settings.plugins)

    async def prepare(self, loaded: Loaded) -> Prepared:
        """Build what a configuration needs. Each must be followed by `take` or `discard`.

        Raises:
            ConfigError: A checker cannot be built.
        """
        old = self._jobs.checkers
        classes = self._settings.plugins.checkers
        checkers = await build_beside(
            classes, loaded.config.healthchecks, old, self._queue.close, within_s=self._settings.read_within_s
        )
        return prepared(loaded, checkers, old)

    def discard(self, prepared: Prepared) -> None:
        """Close what was built for nothing."""
        self._queue.close(prepared.fresh)

    def take(self, prepared: Prepared) -> None:
        """A configuration is in force: the State has taken it over."""
        self._jobs.use(prepared.checkers)
        self.loaded, self.loaded_at_s = prepared.loaded, time.time()
        self._changed.set()
        self._changed = anyio.Event()

    def differs(self, prepared: Prepared) -> bool:
        """Whether taking a configuration over changes anything: its text, or a file that a check names."""
        return bool(prepared.fresh) or prepared.loaded.config != self.config

    def messages(self, prepared: Prepared) -> tuple[str, ...]:
        """Return the messages of a reload: options that need a restart, and warnings."""
        config = prepared.loaded.config
        return (*needs_restart(self._started_with, config), *map(str, prepared.loaded.warnings))

    @contextmanager
    def followed(self, follower: Follower) -> Iterator[None]:
        """Have a follower told of each configuration that comes into force while the context lasts."""
        self._followers.append(follower)
        try:
            yield
        finally:
            self._followers.remove(follower)

    async def hand_on(self) -> Followed:
        """Tell all followers of the configuration in force, and say what they made of it."""
        told = [await follower(self.config) for follower in self._followers]
        return Followed(
            tuple(message for one in told for message in one.messages),
            tuple(error for one in told for error in one.errors),
        )

    async def changes(self) -> AsyncIterator[Config]:
        """Yield each configuration that comes into force from now on; of several at once the newest."""
        seen = self.loaded
        while True:
            while self.loaded is seen:
                await self._changed.wait()
            seen = self.loaded
            yield seen.config
