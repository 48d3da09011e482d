"""The values that the domain reasons about: frontends with resolved addresses, and what is known of their backends.

They are what the configuration comes to once names are resolved and overrides applied; nothing here knows of YAML.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import attrs

from maglev.api import BackendState, DataplaneConf, Encap, VipAttributes, VipKey


class WhenNoneUp(StrEnum):
    """The behaviour of a frontend whose last server would lose its weight."""

    DROP = "drop"
    """No server gets new flows."""
    HOLD = "hold"
    """The last weights stay (fail open)."""


@attrs.frozen
class HealthRule:
    """The rule for changes of a backend's state.

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
    """Times from the start of one probe to the start of the next, in nanoseconds.

    Args:
        normal_ns: While the backend is wholly up.
        fast_ns: While it is unknown, or its counter is between the ends.
        down_ns: While it is wholly down.
    """

    normal_ns: int
    fast_ns: int
    down_ns: int


@attrs.frozen
class ProbeSpec:
    """Everything that makes a probe what it is; as long as it is equal, the running probe goes on.

    Args:
        address: Whom to probe.
        check: The health check's name.
        type: The checker's name.
        params: The checker's options.
        port: The port; `None` where the checker has none.
        timeout_ns: How long one probe may take, in nanoseconds.
        source: The local address to probe from.
        netns: The network namespace to probe in.
    """

    address: IPv4Address | IPv6Address
    check: str
    type: str
    params: Any
    port: int | None
    timeout_ns: int
    source: IPv4Address | IPv6Address | None
    netns: str | None


@attrs.frozen
class Backend:
    """One backend as configured.

    Args:
        name: Its name.
        address: Its address; another one makes it another backend.
        enabled: What the file's `enabled` says.
        rule: When its state changes; `None` for a static backend, which has no health check.
        intervals: Its cadence; `None` for a static backend.
        probe: How it is probed; `None` for a static backend.
    """

    name: str
    address: IPv4Address | IPv6Address
    enabled: bool = True
    rule: HealthRule | None = None
    intervals: Intervals | None = None
    probe: ProbeSpec | None = None


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


@attrs.frozen
class ResolvedConfig:
    """A configuration with resolved names, before operators' overrides are applied.

    Args:
        backends: All backends by name, in the order of the file.
        frontends: All frontends by name, in the order of the file, with the file's weights.
        conf: What should hold for the whole dataplane.
        warm_up_min_ns: `startup-min-delay`, in nanoseconds.
        warm_up_max_ns: `startup-max-delay`, in nanoseconds.
        transition_history: How many transitions of a backend are kept, at least 1.
        probes_in_netns: Whether probes run in a network namespace of their own.
        sync_interval_s: Time between periodic sync runs, in seconds.
    """

    backends: Mapping[str, Backend] = attrs.field(factory=dict)
    frontends: Mapping[str, Frontend] = attrs.field(factory=dict)
    conf: DataplaneConf = attrs.field(factory=DataplaneConf)
    warm_up_min_ns: int = 0
    warm_up_max_ns: int = 0
    transition_history: int = 5
    probes_in_netns: bool = False
    sync_interval_s: float = 30.0


def encap_for(address: IPv4Address | IPv6Address) -> Encap:
    """The encapsulation that reaches a server: GRE over the server's own address family."""
    return Encap.GRE4 if address.version == 4 else Encap.GRE6


@attrs.frozen
class BackendStatus:
    """The state of one backend.

    Args:
        state: Its state.
        why: The cause in words, for reasons shown to people (`L4CON: connection refused`); may be empty.
        since_s: When it got there, in seconds since the epoch; 0 if not known.
    """

    state: BackendState
    why: str = ""
    since_s: float = 0.0
