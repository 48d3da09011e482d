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
        lost_bytes: Memory that it never gives back, of VIPs removed or made anew, in bytes: since it started, as far
            as maglevd was there to see it. `None` if that is not known of this kind of dataplane.
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
