"""The loader's results: a configuration with warnings, or all errors."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from maglev.api import Problem
from maglev.config.schema import Config


@attrs.frozen
class Loaded:
    """A configuration that may be used. Can be pickled if the plugins' option classes can.

    Args:
        config: Complete: every check, the dataplane and every exporter has its options.
        warnings: What is legal and probably not meant, in the order of the file.
    """

    config: Config
    warnings: tuple[Problem, ...] = ()


class ConfigError(Exception):
    """A configuration was refused.

    Args:
        problems: All that is wrong with it, in the order of the file; never empty.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    @property
    def status(self) -> int:
        """The exit status of `maglevd check`: 1 for a syntax or type error, 2 for semantic errors only."""
        return 1 if any(problem.severity == "shape" for problem in self.problems) else 2

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))
