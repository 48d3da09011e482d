"""Describes load balancing as both readers understand it: services, and pools of servers with their probes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Literal

import attrs

from maglev.config import format_duration
from maglev.migrate.findings import Findings, Place

Address = IPv4Address | IPv6Address


@attrs.frozen
class Probe:
    """How a server is checked.

    Args:
        type: A checker's name.
        port: The port to probe; `None` where the type has none.
        params: The checker's options by their YAML names.
        interval: From probe to probe, with the server up.
        fast_interval: The same while its state changes; `None`: as `interval`.
        down_interval: The same while it is down; `None`: as `interval`.
        timeout: How long a probe may take.
        rise: Passes that bring it up.
        fall: Failures that take it down.
        source: The local address to probe from.
        name: What to call it, if that is free.
        place: Where it stands; says nothing about what it is.
    """

    type: str
    port: int | None
    params: Mapping[str, Any]
    interval: timedelta
    timeout: timedelta
    fast_interval: timedelta | None = None
    down_interval: timedelta | None = None
    rise: int = 2
    fall: int = 3
    source: Address | None = None
    name: str = attrs.field(default="", eq=False)
    place: Place = attrs.field(default=Place("", 0), eq=False)

    @property
    def key(self) -> str:
        """Text that is equal for equal probes."""
        return json.dumps(self.data(), sort_keys=True)

    def data(self) -> dict[str, Any]:
        """The probe as a health check of the configuration, without what is at its default."""
        data: dict[str, Any] = {"type": self.type}
        if self.port is not None:
            data["port"] = self.port
        if self.params:
            data["params"] = dict(self.params)
        data["interval"] = format_duration(self.interval)
        for key, value in (("fast-interval", self.fast_interval), ("down-interval", self.down_interval)):
            if value is not None and value != self.interval:
                data[key] = format_duration(value)
        data |= {"timeout": format_duration(self.timeout), "rise": self.rise, "fall": self.fall}
        if self.source is not None:
            data[f"probe-ipv{self.source.version}-src"] = str(self.source)
        return data


@attrs.frozen
class Server:
    """A server in a pool.

    Args:
        name: What the source calls it; its address if it has no name.
        scope: What tells it from servers of the same name: the backend or the port.
        address: Where it is.
        port: The port that traffic goes to; 0: that of the VIP.
        weight: As in the source; maglevd's go to 100.
        probe: How it is checked; `None`: always up.
        enabled: Whether it may be used.
        place: Where it stands.
    """

    name: str
    scope: str
    address: Address
    place: Place
    port: int = 0
    weight: int = 1
    probe: Probe | None = None
    enabled: bool = True


@attrs.frozen
class Pool:
    """Servers that serve together.

    Args:
        min_up: As in the configuration.
    """

    name: str
    servers: tuple[Server, ...]
    min_up: int = 1


@attrs.frozen
class Vip:
    """An address and port that clients connect to.

    Args:
        address: `None` for all addresses of the host.
        families: Versions of IP that `None` stands for.
        protocol: `any` for all ports of all protocols.
        port: 0 with `any`.
    """

    address: Address | None
    port: int
    place: Place
    protocol: Literal["tcp", "udp", "any"] = "tcp"
    families: tuple[int, ...] = (4,)


@attrs.frozen
class Service:
    """VIPs that share pools: one frontend for each.

    Args:
        name: What the source calls it; empty: its VIPs' addresses.
        flush_on_down: Whether established flows leave a server that goes down.
    """

    name: str
    vips: tuple[Vip, ...]
    pools: tuple[Pool, ...]
    place: Place
    sticky: bool = False
    flush_on_down: bool = True
    description: str = ""


@attrs.define
class Source:
    """What a reader made of a configuration.

    Args:
        services: In the order of the source.
        spare: Servers that no service uses; they are probed.
        netns: The network namespace to probe in.
        findings: What it could not carry over.
    """

    services: list[Service] = attrs.field(factory=list)
    spare: list[Server] = attrs.field(factory=list)
    netns: str = ""
    findings: Findings = attrs.field(factory=Findings)
