"""Bounds what a reader may make of a configuration: a short text can stand for an endless one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address

MAX_LINES = 200_000
"""Lines of a configuration, those that includes, sequences and variables stand for counted."""
MAX_CHARACTERS = 16 * 1024 * 1024
"""The same in characters."""
MAX_LINE = 64 * 1024
"""Characters of one line, its variables replaced."""
MAX_DEPTH = 30
"""How deep includes, variables within variables, or blocks may be nested."""
MAX_VIPS = 4096
"""VIPs of one configuration, those of ranges counted."""
MAX_SERVERS = 20_000
"""Servers of one configuration, those of templates counted."""

Include = Callable[[str, str], Sequence[tuple[str, str]]]
"""Gives (name, text) of each file that a pattern stands for; its arguments are the pattern and the including file."""


LookUp = Callable[[str], IPv4Address | IPv6Address | None]
"""Gives the address of a name; `None` if it has none."""


def no_look_up(_name: str) -> None:
    """Look up nothing."""


def no_include(_pattern: str, _file: str) -> Sequence[tuple[str, str]]:
    """Include nothing."""
    return ()
