"""Turns services into a configuration: names for all, one backend for each server, weights up to 100, VIPs."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from typing import Any

import attrs

from maglev.migrate.bounds import MAX_VIPS
from maglev.migrate.document import Document, Item
from maglev.migrate.findings import Findings
from maglev.migrate.model import Address, Pool, Probe, Server, Service, Source, Vip

_TOP_WEIGHT = 100
_LONGEST_NAME = 150


def assemble(source: Source, vips: Sequence[Address] = ()) -> Document:
    """Make a configuration; what cannot be is added to the source's findings.

    Args:
        source: What a reader made.
        vips: The addresses that stand for all addresses of a host.
    """
    work = _Assembly(source.findings, tuple(vips), Document(netns=source.netns))
    for service in source.services:
        work.add(service)
    for server in source.spare:
        work.backend(server)
    return work.document


@attrs.define
class _Assembly:
    """A configuration on its way."""

    findings: Findings
    vips: tuple[Address, ...]
    document: Document
    _checks: dict[str, str] = attrs.field(factory=dict, init=False)
    _numbers: dict[str, int] = attrs.field(factory=dict, init=False)
    _backends: dict[tuple[Address, str, bool], str] = attrs.field(factory=dict, init=False)

    def add(self, service: Service) -> None:
        """Add a service: its servers as backends, and a frontend for each of its VIPs."""
        pools = [made for pool in service.pools if (made := self._pool(pool))]
        shared: dict[str, Any] = {"src-ip-sticky": True} if service.sticky else {}
        if not service.flush_on_down:
            shared["flush-on-down"] = False
        shared["pools"] = pools
        vips = [one for vip in service.vips for one in self._resolved(vip)]
        for vip, name in zip(vips, _frontend_names(service, vips), strict=True):
            self._frontend(service, vip, name, shared)

    def _frontend(self, service: Service, vip: Vip, name: str, shared: dict[str, Any]) -> None:
        data: dict[str, Any] = {"description": service.description} if service.description else {}
        if vip.address is not None:
            data["address"] = str(vip.address)
        data["protocol"] = vip.protocol
        if vip.protocol != "any":
            data["port"] = vip.port
        item = Item(data | shared, vip.place)
        frontends = self.document.frontends
        if len(frontends) >= MAX_VIPS:
            self.findings.left_out(vip.place, f"frontend {name}", f"at most {MAX_VIPS} VIPs are taken")
        elif vip.address is None:
            pending = self.document.pending
            pending[self._free(name, frontends, pending)] = item
            message = "no address: a VIP has one; say it by --vip, or fill it in below"
            self.findings.left_out(vip.place, f"frontend {name}", message)
        else:
            frontends[self._free(name, frontends)] = item

    def _resolved(self, vip: Vip) -> Iterator[Vip]:
        """Put the given addresses in place of all addresses of the host."""
        if vip.address is not None:
            yield vip
            return
        fitting = [address for address in self.vips if address.version in vip.families]
        yield from (attrs.evolve(vip, address=address) for address in fitting)
        if not fitting:
            yield vip

    def _pool(self, pool: Pool) -> dict[str, Any] | None:
        weights = _weights(pool, self.findings)
        members: dict[str, dict[str, int]] = {}
        for server, weight in zip(pool.servers, weights, strict=True):
            name = self.backend(server)
            if name in members:
                self.findings.left_out(server.place, f"server {server.name}", "the pool has this server already")
            elif weight is not None:
                members[name] = {"weight": weight}
            else:
                members[name] = {}
        if not members:
            return None
        return {"name": pool.name, "backends": members} | ({"min-up": pool.min_up} if pool.min_up > 1 else {})

    def backend(self, server: Server) -> str:
        """Add a server, if it is not there with the same check; return its name."""
        check = self._check(server.probe) if server.probe else ""
        known = (server.address, check, server.enabled)
        if known not in self._backends:
            data: dict[str, Any] = {"address": str(server.address)}
            if check:
                data["healthcheck"] = check
            if not server.enabled:
                data["enabled"] = False
            backends = self.document.backends
            base = _clean(server.name) or str(server.address)
            name = base if base not in backends else self._free(_clean(f"{base}-{server.scope}"), backends)
            backends[name] = Item(data, server.place)
            self._backends[known] = name
        return self._backends[known]

    def _free(self, name: str, *taken: Container[str]) -> str:
        """Return a name that is not taken: the given one, or one with a number behind it."""
        free = name
        while any(free in names for names in taken):
            self._numbers[name] = self._numbers.get(name, 1) + 1
            free = f"{name}-{self._numbers[name]}"
        return free

    def _check(self, probe: Probe) -> str:
        if probe.key not in self._checks:
            name = self._free(_clean(probe.name) or probe.type, self.document.healthchecks)
            self.document.healthchecks[name] = Item(probe.data(), probe.place)
            self._checks[probe.key] = name
        return self._checks[probe.key]


def _weights(pool: Pool, findings: Findings) -> Sequence[int | None]:
    """Return a pool's weights, `None` for the default: as they are, or with the largest brought down to 100."""
    weights = [server.weight for server in pool.servers]
    most = max(weights, default=0)
    if len(set(weights)) == 1 and most:
        return [None] * len(weights)
    if most <= _TOP_WEIGHT:
        return weights
    scaled = [max(1, round(weight * _TOP_WEIGHT / most)) if weight else 0 for weight in weights]
    for server, weight in zip(pool.servers, scaled, strict=True):
        if weight * most != server.weight * _TOP_WEIGHT:
            message = f"weights go to {_TOP_WEIGHT}: those of the pool are brought down in proportion, and rounded"
            findings.changed(server.place, "weight", message)
    return scaled


def _frontend_names(service: Service, vips: Sequence[Vip]) -> Iterator[str]:
    """Name the VIPs of a service: by the service, with as much of each VIP as tells it from the others."""
    base = _clean(service.name)
    ports = {vip.port for vip in vips}
    for vip in vips:
        whole = f"{vip.address or 'any'}-{vip.port}" if vip.port else f"{vip.address or 'any'}"
        if not base:
            yield whole
        elif len(vips) == 1:
            yield base
        else:
            yield f"{base}-{vip.port}" if len(ports) == len(vips) else f"{base}-{whole}"


def _clean(name: str) -> str:
    """Return a name that the configuration takes: printable, without blanks at the ends, not too long."""
    return re.sub(r"[^\w.:@/+()-]+", "-", name).strip("-")[:_LONGEST_NAME] if name.isprintable() else ""
