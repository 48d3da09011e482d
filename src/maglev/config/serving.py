"""Checks the files and addresses that exporters name, without serving."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from maglev.api import Exporter, Problem
from maglev.config.other_process import in_other_process
from maglev.config.plugins import Installed
from maglev.config.schema import Config

LOOK_WITHIN_S = 10.0
"""How long one exporter's files may take to answer, in seconds."""


def exporter_problem(exporter: type[Exporter], options: Any) -> str | None:
    """Say why an exporter cannot serve with these options; `None` if it can. May block."""
    try:
        if exporter(options).enabled:
            exporter.check(options)
    except Exception as error:  # noqa: BLE001 - a plugin's code: whatever it is, it is why
        return str(error) or type(error).__name__
    return None


def exporter_problems(config: Config, plugins: Installed) -> tuple[Problem, ...]:
    """Say what all exporters of a configuration cannot serve with. May block."""
    found = ((name, exporter_problem(cls, options)) for name, cls, options in _exporters(config, plugins))
    return tuple(_problem(name, message) for name, message in found if message is not None)


async def exporter_problem_elsewhere(exporter: type[Exporter], options: Any, within_s: float) -> str | None:
    """Call `exporter_problem` in another process, which is killed at a deadline; that is a problem too."""
    if exporter.check.__func__ is Exporter.check.__func__:  # type: ignore[attr-defined]  # it looks at nothing
        return None
    try:
        return await in_other_process(partial(exporter_problem, exporter, options), within_s)
    except TimeoutError:
        return f"a file that its options name does not answer within {within_s:g} s"


async def exporter_problems_elsewhere(
    config: Config, plugins: Installed, within_s: float = LOOK_WITHIN_S
) -> tuple[Problem, ...]:
    """Call `exporter_problems`, each in another process, which is killed at a deadline."""
    found = [
        (name, await exporter_problem_elsewhere(cls, options, within_s))
        for name, cls, options in _exporters(config, plugins)
    ]
    return tuple(_problem(name, message) for name, message in found if message is not None)


def _exporters(config: Config, plugins: Installed) -> Iterator[tuple[str, type[Exporter], Any]]:
    return (
        (name, plugins.exporters[name], options)
        for name, options in config.exporters.items()
        if name in plugins.exporters
    )


def _problem(name: str, message: str) -> Problem:
    return Problem(f"maglev.exporters.{name}", message, severity="meaning")
