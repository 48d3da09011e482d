"""Builds checkers: one instance for each health check, kept as long as its type and options stay the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from maglev.api import Checker, Problem
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


def build_checkers(
    classes: Mapping[str, type[Checker]],
    healthchecks: Mapping[str, HealthCheckConfig],
    old: Checkers,
    retire: Callable[[Sequence[Checker]], None],
) -> Checkers:
    """Build the checkers of a configuration; those that did not change are the old ones.

    Args:
        classes: The installed checkers by name.
        healthchecks: The health checks by name.
        old: The checkers in use.
        retire: Takes what was built for nothing.

    Raises:
        ConfigError: A checker cannot be built, or has none of the three shapes.
    """
    built: dict[str, Built] = {}
    try:
        for name, check in healthchecks.items():
            built[name] = _get(classes, name, check, old.get(name))
    except ConfigError:
        retire(unused(built, old))
        raise
    return built


def unused(checkers: Checkers, others: Checkers) -> list[Checker]:
    """The checkers that are not among others."""
    kept = {id(built.checker) for built in others.values()}
    return [built.checker for built in checkers.values() if id(built.checker) not in kept]


def _get(classes: Mapping[str, type[Checker]], name: str, check: HealthCheckConfig, old: Built | None) -> Built:
    try:
        if old is not None and (old.type, old.params) == (check.type, check.params):
            return old
        checker = classes[check.type].build(check.params)
        shape_of(checker)
    except Exception as error:
        message = f"checker {check.type} cannot be built: {type(error).__name__}: {error}"
        raise ConfigError([Problem(f"maglev.healthchecks.{name}", message, severity="meaning")]) from error
    return Built(check.type, check.params, checker)
