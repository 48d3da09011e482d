"""Findings of a session: faults of its dataplane that only the dataplane's operator can correct."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Protocol, runtime_checkable

import attrs


@attrs.frozen
class DataplaneFindings:
    """What is wrong with a dataplane and only its operator can put right.

    Args:
        unrouted: Servers in use that it has no route to, in order: what is sent to them is dropped.
        lost_bytes: Memory that it never gives back, of VIPs removed or made anew, in bytes: since it started, as far
            as maglevd was there to see it. `None` if that is not known of this kind of dataplane.
    """

    unrouted: tuple[IPv4Address | IPv6Address, ...] = ()
    lost_bytes: int | None = None


@runtime_checkable
class TellsFindings(Protocol):
    """What a session may have besides: what it found wrong with the dataplane when it last read it."""

    @property
    def findings(self) -> DataplaneFindings:
        """What is wrong now."""
        ...
