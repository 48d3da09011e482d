"""`maglevd plugins`: lists what is installed, in columns for `grep` and `awk`."""

from __future__ import annotations

from collections.abc import Sequence

from maglev.build import this_build
from maglev.plugin import PluginInfo, PluginManager

_HEADER = ("NAME", "VERSION", "GIVES", "FROM")


def plugins(manager: PluginManager) -> str:
    """List plugins, one a line, then those that could not be loaded and why."""
    lines = columns([_HEADER, *map(_row, manager.plugins)])
    problems = [f"problem: {problem}" for problem in manager.problems]
    return "\n".join([*lines, *problems])


def _row(info: PluginInfo) -> tuple[str, ...]:
    gives = ", ".join(f"{kind} {name}" for kind, name in info.gives)
    return (info.plugin, info.version or this_build().version, gives or "-", f"{info.distribution}: {info.origin}")


def columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Align columns, two spaces apart; the last one is not padded."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    ]
