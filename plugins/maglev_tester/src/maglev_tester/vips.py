"""Chooses the VIPs of a configuration to probe and the kind of probe, and gives reasons for the others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

import attrs

from maglev import Config, FrontendConfig, HealthCheckConfig
from maglev.api import IPProtocol
from maglev.host_names import check_host


class Kind(StrEnum):
    """The kinds of probes."""

    HTTP = "http"
    HTTPS = "https"
    TCP = "tcp"


KIND_OF_PORT: Mapping[int, Kind] = {80: Kind.HTTP, 8080: Kind.HTTP, 443: Kind.HTTPS, 8443: Kind.HTTPS}
"""How VIPs on a port are probed if no health check decides it."""


@attrs.frozen
class Vip:
    """One VIP to probe.

    Args:
        name: The frontend's name; with the file's in front where two files use it for different VIPs.
        address: IPv4 or IPv6, as text.
        port: 1 to 65535.
        kind: How it is probed.
        host: The name to ask for in the Host header and by TLS; empty: the address.
    """

    name: str
    address: str
    port: int
    kind: Kind
    host: str = ""

    @property
    def endpoint(self) -> str:
        """Address and port as in a URL."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@attrs.frozen
class LeftOut:
    """A VIP that is not probed."""

    name: str
    why: str


def vips_of(config: Config) -> tuple[tuple[Vip, ...], tuple[LeftOut, ...]]:
    """Decide for each frontend of a configuration.

    A TCP VIP is probed by HTTP or HTTPS if a health check of its backends is of that type and on the VIP's own port;
    else if the port is a usual one for it; else by a TCP connection. A VIP for all ports is probed on the port of its
    backends' health check. UDP is left out: without its protocol a silent server and a lost packet look the same.
    """
    vips: list[Vip] = []
    left_out: list[LeftOut] = []
    for name, frontend in config.frontends.items():
        checks = tuple(_checks(config, frontend))
        if frontend.protocol is IPProtocol.UDP:
            left_out.append(LeftOut(name, "UDP: silence of a server that got the packet and loss are alike"))
            continue
        port = frontend.port or next((check.port for check in checks if check.port), None)
        if port is None:
            left_out.append(LeftOut(name, "all ports, and no health check of its backends names one to try"))
            continue
        vip = _vip(name, frontend, port, checks)
        try:
            if vip.host:
                check_host(vip.host, "host")
        except ValueError as error:  # the daemon refuses such a file
            left_out.append(LeftOut(name, str(error)))
            continue
        vips.append(vip)
    return tuple(vips), tuple(left_out)


def _vip(name: str, frontend: FrontendConfig, port: int, checks: Iterable[HealthCheckConfig]) -> Vip:
    kind = KIND_OF_PORT.get(port, Kind.TCP)
    host: Any = ""
    for check in checks:
        if check.port == port and check.type in (Kind.HTTP, Kind.HTTPS):
            kind = Kind(check.type)
            params: Any = check.params  # as they stand in the file
            host = params.get("host", "") if isinstance(params, Mapping) else ""
            break
    return Vip(name, str(frontend.address), port, kind, host if isinstance(host, str) else "")


def _checks(config: Config, frontend: FrontendConfig) -> Iterator[HealthCheckConfig]:
    """The health checks of a frontend's backends, in the order of its pools, each as often as it is used."""
    names = (config.backends[member].healthcheck for pool in frontend.pools for member in pool.backends)
    return (config.healthchecks[name] for name in names if name is not None)


def together(
    files: Iterable[tuple[str, Config]], wanted: re.Pattern[str]
) -> tuple[tuple[Vip, ...], tuple[LeftOut, ...]]:
    """Put the VIPs of several configurations together; one that stands in two of them is probed once.

    Each comes with its file's name, which is put before the second VIP of one name. Only frontends are taken in whose
    name or `address:port` the pattern is found.
    """
    vips: dict[tuple[str, int], Vip] = {}
    left_out: dict[str, LeftOut] = {}
    names: set[str] = set()
    for file, config in files:
        found, not_probed = vips_of(config)
        for vip in found:
            key = (vip.address, vip.port)
            if key in vips or not (wanted.search(vip.name) or wanted.search(vip.endpoint)):
                continue
            unique = vip.name if vip.name not in names else f"{file}:{vip.name}"
            names.add(unique)
            vips[key] = attrs.evolve(vip, name=unique)
        left_out |= {item.name: item for item in not_probed if wanted.search(item.name)}
    return tuple(vips.values()), tuple(left_out.values())
