"""The values that the domain reasons about: frontends with resolved addresses, and what is known of their backends.

They are what the configuration comes to once names are resolved and overrides applied; nothing here knows of YAML.
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

import attrs

from maglev.api import BackendState, Encap, VipAttributes, VipKey


class WhenNoneUp(StrEnum):
    """What a frontend does when its last server would lose its weight."""

    DROP = "drop"
    """No server gets new flows."""
    HOLD = "hold"
    """The last weights stay (fail open)."""


@attrs.frozen
class HealthRule:
    """When a backend's state changes.

    Args:
        rise: Passes in a row that bring a down backend up, at least 1.
        fall: Failures in a row that take an up backend down, at least 1.
    """

    rise: int = 2
    fall: int = 3

    @property
    def top(self) -> int:
        """The highest value of the counter, as HAProxy has it: rise + fall - 1."""
        return self.rise + self.fall - 1


@attrs.frozen
class Intervals:
    """How long from the start of one probe to the start of the next, in nanoseconds.

    Args:
        normal_ns: While the backend is wholly up.
        fast_ns: While it is unknown, or its counter is between the ends.
        down_ns: While it is wholly down.
    """

    normal_ns: int
    fast_ns: int
    down_ns: int


@attrs.frozen
class Member:
    """One backend in one pool.

    Args:
        backend: The backend's name.
        address: The server's address.
        weight: The wanted weight, 0 to 100: the file's, or an override.
        configured_weight: What the file says, 0 to 100.
    """

    backend: str
    address: IPv4Address | IPv6Address
    weight: int = 100
    configured_weight: int = 100


@attrs.frozen
class Pool:
    """Backends that serve together.

    Args:
        name: Unique within the frontend.
        members: In the order of the file.
        min_up: With fewer members up (and of weight above 0), the next pool is preferred.
    """

    name: str
    members: tuple[Member, ...]
    min_up: int = 1


@attrs.frozen
class Frontend:
    """One VIP and who may serve it.

    Args:
        name: Its name in the configuration.
        vip: What names it in the dataplane.
        pools: In order of preference; never empty.
        attributes: What its VIP is made with.
        step: Granularity of weights in the new-flow table, 1 to 100: table weight = weight / step.
        flush_on_down: Whether established flows leave a server that goes down.
        when_none_up: What to do when the last server would lose its weight.
        description: For people.
    """

    name: str
    vip: VipKey
    pools: tuple[Pool, ...]
    attributes: VipAttributes
    step: int = 10
    flush_on_down: bool = True
    when_none_up: WhenNoneUp = WhenNoneUp.DROP
    description: str = ""


def encap_for(address: IPv4Address | IPv6Address) -> Encap:
    """The encapsulation that reaches a server: GRE over the server's own address family."""
    return Encap.GRE4 if address.version == 4 else Encap.GRE6


@attrs.frozen
class BackendStatus:
    """What is known of one backend.

    Args:
        state: Its state.
        why: The cause in words, for reasons shown to people (`L4CON: connection refused`); may be empty.
        since_s: When it got there, in seconds since the epoch; 0 if not known.
    """

    state: BackendState
    why: str = ""
    since_s: float = 0.0
