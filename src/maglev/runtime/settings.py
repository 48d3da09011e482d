"""The settings of a controller, and the source of its configuration."""

from __future__ import annotations

from pathlib import Path

import anyio.to_thread
import attrs

from maglev.api import Dataplane, Problem
from maglev.config import (
    Config,
    ConfigError,
    FlagValues,
    Installed,
    Loaded,
    PluginSet,
    check,
    load,
    load_in_subprocess,
)
from maglev.config.loader import READ_WITHIN_S
from maglev.runtime.on_disk import RunningCode


@attrs.frozen
class Settings:
    """The settings for opening a controller.

    Args:
        source: A file, which can be reloaded, or a configuration built in code.
        plugins: What is installed.
        dataplane: Use this one instead of making the configured one.
        flag_values: Options from flags and the environment, which win over the file.
        state_dir: Where overrides are kept; `None` keeps them for this run only.
        observe: Plan and tell, but write nothing to the dataplane.
        read_within_s: How long a reload may take to read its files, in seconds.
    """

    source: Config | Path
    plugins: Installed
    dataplane: Dataplane | None = None
    flag_values: FlagValues = attrs.field(factory=dict)
    state_dir: Path | None = None
    observe: bool = False
    read_within_s: float = READ_WITHIN_S
    code: RunningCode = attrs.field(factory=RunningCode, init=False, repr=False)
    """What runs, as it was on disk at the start."""

    @property
    def origin(self) -> str:
        """The source of the configuration, for messages."""
        return "a configuration made in code" if isinstance(self.source, Config) else str(self.source)

    async def load(self) -> Loaded:
        """Load the configuration before anything runs.

        Raises:
            ConfigError: It is not valid; names every problem.
        """
        await anyio.to_thread.run_sync(self.code.note, _packages(self.plugins))
        if isinstance(self.source, Config):
            return await anyio.to_thread.run_sync(check, self.source, self.plugins)
        path = self.source
        return await anyio.to_thread.run_sync(lambda: load(path, self.plugins, flag_values=self.flag_values))

    async def reload(self, source: Config | Path) -> Loaded:
        """Load a configuration while probes run: in another process, since parsing would hold them up.

        Args:
            source: A file, or a configuration built in code.

        Raises:
            ConfigError: It is not valid; names every problem.
        """
        if isinstance(source, Config):
            return await anyio.to_thread.run_sync(check, source, self.plugins)  # checkers read files
        if changed := await anyio.to_thread.run_sync(self.code.changed):
            message = f"maglevd was upgraded on disk: restart it ({changed[0]} is not as it was at the start)"
            raise ConfigError([Problem("", message, severity="meaning")])
        return await load_in_subprocess(
            source, PluginSet.of(self.plugins), flag_values=self.flag_values, within_s=self.read_within_s
        )

    def make_dataplane(self, config: Config) -> Dataplane:
        """The dataplane to use: the one given, or the configured one."""
        if self.dataplane is not None:
            return self.dataplane
        return self.plugins.dataplanes[config.dataplane](config.dataplane_options)


def _packages(plugins: Installed) -> set[str]:
    """The import packages of the plugins."""
    classes = (*plugins.checkers.values(), *plugins.dataplanes.values(), *plugins.exporters.values())
    return {cls.__module__.partition(".")[0] for cls in classes}
