"""The state of the connection to one daemon."""

from __future__ import annotations

from typing import Any

import attrs

from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from maglev_web.feed.messages import JSON


@attrs.frozen
class Status:
    """One daemon as seen from here.

    Args:
        connected: Whether its events arrive.
        answering: Whether it answered the last question in time; a daemon that is connected and does not is slow.
        why: What is wrong, in words; empty if nothing is.
        since_s: Since when `connected` and `answering` are what they are, in seconds since the epoch.
        restarts: How often it was started again while this server watched.
        info: What it last answered of itself; `None` if it never did.
    """

    connected: bool = False
    answering: bool = False
    why: str = "not connected yet"
    since_s: float = 0.0
    restarts: int = 0
    info: pb.Info | None = None

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

    def with_info(self, info: pb.Info) -> Status:
        """The status after the daemon answered."""
        restarted = self.info is not None and self.info.started_at_s != info.started_at_s
        return attrs.evolve(self, info=info, restarts=self.restarts + restarted)

    def plain(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        fields = {field.name: getattr(self, field.name) for field in attrs.fields(Status)}
        return {**fields, "info": None if self.info is None else JSON.plain(self.info)}
