"""Findings of a session: faults of its dataplane that only the dataplane's operator can correct."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Protocol, runtime_checkable

import attrs


@attrs.frozen
class DataplaneFindings:
    """Faults of a dataplane that only its operator can correct.

    Args:
        unrouted: Servers in use that it has no route to, in order: it drops packets for them.
        lost_bytes: Memory that it lost to VIPs that were removed or recreated, in bytes: since it started,
            while maglevd was connected. `None` if this kind of dataplane does not tell.
    """

    unrouted: tuple[IPv4Address | IPv6Address, ...] = ()
    lost_bytes: int | None = None


@runtime_checkable
class TellsFindings(Protocol):
    """An optional part of a session: its findings when it last read the dataplane."""

    @property
    def findings(self) -> DataplaneFindings:
        """Return the present findings."""
        ...
