"""The answer to `GetInfo`, as a value."""

from __future__ import annotations

import attrs

from maglev.api import LoopLag, Trouble


@attrs.frozen
class Info:
    """The version and condition of maglevd.

    Args:
        version: Its version.
        commit: The short commit it was built from; `unknown` if not known.
        date: When that commit was made, ISO 8601; `unknown` if not known.
        started_at_s: When the daemon started, in seconds since the epoch.
        config_loaded_at_s: When the configuration in force was loaded, likewise.
        warm: Whether the warm-up after the start is over.
        lag: How late its event loop runs.
        watchers: How many watch its events over gRPC.
        may_change: Whether who asks may change things.
        may_change_why: Why, or why not, in words.
        troubles: What is wrong with maglevd itself.
    """

    version: str
    commit: str
    date: str
    started_at_s: float
    config_loaded_at_s: float
    warm: bool
    lag: LoopLag
    watchers: int
    may_change: bool
    may_change_why: str
    troubles: tuple[Trouble, ...] = ()
