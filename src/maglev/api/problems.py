"""Problems of a configuration, with their position."""

from __future__ import annotations

import attrs


@attrs.frozen
class Problem:
    """One problem of a configuration.

    Args:
        path: Where in the document (`maglev.frontends.web-v4.pools[0]`).
        message: The mistake and the allowed values.
        file: The file that contains it; empty if it came from elsewhere.
        line: Counted from 1; 0 if not known.
        column: Counted from 1; 0 if not known.
        severity: `shape` (a syntax or type error), `meaning` (a semantic error) or `warning`.
    """

    path: str
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    severity: str = "shape"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: " if self.file else ""
        where = f"{self.path}: " if self.path else ""
        return f"{place}{where}{self.message}"
