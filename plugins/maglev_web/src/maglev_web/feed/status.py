"""How the connection to one daemon is doing."""

from __future__ import annotations

from typing import Any

import attrs

from maglev_grpc.client import Info


@attrs.frozen
class Status:
    """One daemon as seen from here.

    Args:
        connected: Whether its events arrive.
        answering: Whether it answered the last question in time; a daemon that is connected and does not is slow.
        why: What is wrong, in words; empty if nothing is.
        since_s: Since when `connected` and `answering` are what they are, in seconds since the epoch.
        restarts: How often it was started again while this server watched.
        info: What it last told of itself; `None` if it never did.
    """

    connected: bool = False
    answering: bool = False
    why: str = "not connected yet"
    since_s: float = 0.0
    restarts: int = 0
    info: Info | None = None

    def changed(self, now_s: float, *, connected: bool, answering: bool, why: str = "") -> Status:
        """The status after something was seen; `since_s` moves only when it is another one.

        Args:
            now_s: Seconds since the epoch.
            connected: As in the status.
            answering: As in the status.
            why: As in the status.
        """
        same = (self.connected, self.answering) == (connected, answering)
        since_s = self.since_s if same else now_s
        return attrs.evolve(self, connected=connected, answering=answering, why=why, since_s=since_s)

    def told(self, info: Info) -> Status:
        """The status after the daemon told of itself."""
        restarted = self.info is not None and self.info.started_at_s != info.started_at_s
        return attrs.evolve(self, info=info, restarts=self.restarts + restarted)

    def wire(self) -> dict[str, Any]:
        """As the page gets it; without what is another at each look."""
        told = self.info
        return {
            "connected": self.connected,
            "answering": self.answering,
            "why": self.why,
            "since_s": self.since_s,
            "restarts": self.restarts,
            "version": told.version if told else "",
            "commit": told.commit if told else "",
            "started_at_s": told.started_at_s if told else None,
            "loaded_at_s": told.config_loaded_at_s if told else None,
            "warm": told.warm if told else None,
            "stalls": told.lag.stalls if told else 0,
            "may_change": told.may_change if told else False,
            "may_change_why": told.may_change_why if told else "",
        }
