"""Builds checkers: one for each health check, kept as long as its type, its options and what they name are the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio
import anyio.to_thread
import attrs

from maglev.api import Checker, Problem, redacted, secrets_of
from maglev.config import ConfigError, HealthCheckConfig
from maglev.probing import shape_of


@attrs.frozen
class Built:
    """One checker, and what it was built from."""

    type: str
    params: Any
    checker: Checker


Checkers = Mapping[str, Built]
"""The checkers of a configuration, by the name of their health check."""


async def build_beside(
    classes: Mapping[str, type[Checker]],
    healthchecks: Mapping[str, HealthCheckConfig],
    old: Checkers,
    retire: Callable[[Sequence[Checker]], None],
    *,
    within_s: float = math.inf,
) -> Checkers:
    """Build checkers in a thread beside the event loop: checkers read files and load certificates.

    Args:
        classes: The installed checkers by name.
        healthchecks: The health checks by name.
        old: The checkers in use.
        retire: Takes what was built for nothing.
        within_s: How long it may take, in seconds; then the thread is left to itself.

    Raises:
        ConfigError: As `build_checkers`, or because the time was over.
    """
    built: dict[str, Built] = {}
    try:
        # Whoever is cancelled waits for the thread, which takes milliseconds; nobody waits for one that hangs.
        with anyio.CancelScope(shield=True), anyio.fail_after(within_s):
            await anyio.to_thread.run_sync(build_checkers, classes, healthchecks, old, built, abandon_on_cancel=True)
    except TimeoutError:
        message = f"could not be built within {within_s:g} s: a file that they name does not answer"
        raise ConfigError([Problem("maglev.healthchecks", message, severity="meaning")]) from None
    except BaseException:
        retire(unused(built, old))
        raise
    return built


def build_checkers(
    classes: Mapping[str, type[Checker]],
    healthchecks: Mapping[str, HealthCheckConfig],
    old: Checkers,
    built: dict[str, Built],
) -> None:
    """Build the checkers of a configuration; those that did not change are the old ones. Blocks.

    Args:
        classes: The installed checkers by name.
        healthchecks: The health checks by name.
        old: The checkers in use.
        built: Takes the checkers, one after the other, so that nothing is lost where one fails.

    Raises:
        ConfigError: A checker cannot be built, or has none of the three shapes.
    """
    for name, check in healthchecks.items():
        built[name] = _get(classes, name, check, old.get(name))


def unused(checkers: Checkers, others: Checkers) -> list[Checker]:
    """The checkers that are not among others."""
    kept = {id(built.checker) for built in others.values()}
    return [built.checker for built in checkers.values() if id(built.checker) not in kept]


def _get(classes: Mapping[str, type[Checker]], name: str, check: HealthCheckConfig, old: Built | None) -> Built:
    try:
        if old is not None and (old.type, old.params) == (check.type, check.params) and not old.checker.outdated():
            return old
        checker = classes[check.type].build(check.params)
        shape_of(checker)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
        secrets = tuple(secrets_of(check.params))
        message = redacted(f"checker {check.type} cannot be built: {type(error).__name__}: {error}", secrets)
        problem = Problem(f"maglev.healthchecks.{name}", message, severity="meaning")
        raise ConfigError([problem]) from (None if secrets else error)  # a traceback would print it
    return Built(check.type, check.params, checker)
