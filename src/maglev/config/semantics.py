"""Checks values against each other, after each was found to have the right form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

import attrs

from maglev.api import IPProtocol, VipKey
from maglev.config.draft import Draft
from maglev.config.faults import Fault, Path
from maglev.config.resolve import vip_key
from maglev.config.schema import FrontendConfig, PoolConfig
from maglev.config.values import routed_objection, without_zone

_NAME = re.compile(r"(?! )(?:[^\s\x00-\x1f\x7f-\x9f]| ){1,200}(?<! )")
_FRONTENDS: Path = ("maglev", "frontends")


def semantic_errors(draft: Draft) -> Iterator[Fault]:
    """Find what is wrong between values, as far as they could be read."""
    yield from _names(draft)
    yield from _lb(draft)
    yield from _healthchecks(draft)
    yield from _backends(draft)
    for name, frontend in draft.frontends.items():
        yield from _pools(name, frontend)
        yield from _members(draft, name, frontend)
        if frontend.port and frontend.protocol is IPProtocol.ANY:
            message = f"port {frontend.port} needs `protocol: tcp` or `udp`: `any` is for all ports"
            path = (*_FRONTENDS, name)
            yield Fault((*path, "port"), message, "meaning")
    yield from _vips(draft)


def _names(draft: Draft) -> Iterator[Fault]:
    for section, names in draft.named.items():
        for name in names:
            if not _NAME.fullmatch(name):
                yield Fault(("maglev", section, name), _bad_name(name), "meaning", at_key=True)


def _bad_name(name: str) -> str:
    return f"{name!r} is not a name: use 1 to 200 printable characters, with blanks only within"


def _lb(draft: Draft) -> Iterator[Fault]:
    lb, path = draft.lb, draft.lb_path
    if lb.startup_max_delay < lb.startup_min_delay:
        message = "must not be below startup-min-delay; set both to 0 for no warm-up"
        yield Fault((*path, "startup-max-delay"), message, "meaning")
    cls = draft.plugins.dataplanes.get(draft.dataplane)
    if cls is None or not cls.needs_source_addresses:
        return
    for key, value in (("ipv4-src-address", lb.ipv4_src_address), ("ipv6-src-address", lb.ipv6_src_address)):
        if value is None:
            message = f"the key {key!r} is missing: the dataplane {draft.dataplane} needs both source addresses"
            yield Fault((*path, key), message, "meaning")


def _healthchecks(draft: Draft) -> Iterator[Fault]:
    for name, check in draft.healthchecks.items():
        cls = draft.plugins.checkers.get(check.type)
        if cls is not None and cls.needs_port and check.port is None:
            message = f"the key 'port' is missing: a check of type {check.type} needs one"
            yield Fault(("maglev", "healthchecks", name, "port"), message, "meaning")


def _backends(draft: Draft) -> Iterator[Fault]:
    known = draft.named.get("healthchecks", frozenset())
    for name, backend in draft.backends.items():
        wanted = backend.healthcheck
        if wanted is not None and wanted not in known:
            hint = draft.speller.hint(wanted, known)
            path = ("maglev", "backends", name, "healthcheck")
            yield Fault(path, f"there is no health check {wanted!r}{hint}", "meaning")


def _pools(name: str, frontend: FrontendConfig) -> Iterator[Fault]:
    path: Path = (*_FRONTENDS, name, "pools")
    if not frontend.pools:
        yield Fault(path, "the list of pools is empty: a frontend needs at least one", "meaning")
    seen: set[str] = set()
    for position, pool in enumerate(frontend.pools):
        here: Path = (*path, position)
        if pool.name in seen:
            yield Fault((*here, "name"), f"the frontend has two pools {pool.name!r}", "meaning")
        if not _NAME.fullmatch(pool.name):
            yield Fault((*here, "name"), _bad_name(pool.name), "meaning")
        if not pool.backends:
            yield Fault(
                (*here, "backends"), f"the pool {pool.name!r} is empty: it needs at least one backend", "meaning"
            )
        seen.add(pool.name)


def _members(draft: Draft, name: str, frontend: FrontendConfig) -> Iterator[Fault]:
    """Check who is in the pools: that all exist, are of one family, and have an address of their own, which fits."""
    known = draft.named.get("backends", frozenset())
    by_address: dict[IPv4Address | IPv6Address, str] = {}
    family: tuple[int, str] | None = None
    cls = draft.plugins.dataplanes.get(draft.dataplane)
    routed_only = cls is not None and cls.needs_routed_servers
    for path, member in _places(name, frontend.pools):
        backend = draft.backends.get(member)
        if member not in known:
            hint = draft.speller.hint(member, known)
            yield Fault(path, f"there is no backend {member!r}{hint}", "meaning", at_key=True)
        if backend is None:
            continue
        # A zone tells two links apart, and neither a table nor a packet has one.
        other = by_address.setdefault(without_zone(backend.address), member)
        if other != member:
            message = (
                f"backends {other!r} and {member!r} have the same address, {backend.address}: use only one of them here"
            )
            yield Fault(path, message, "meaning", at_key=True)
        if routed_only and routed_objection(backend.address):
            kind = "a link-local address" if backend.address.is_link_local else "the host itself"
            message = (
                f"backend {member!r} has the address {backend.address}, and the dataplane {draft.dataplane} cannot "
                f"send to {kind}: use a routed address, or leave it out of the pools to only probe it"
            )
            yield Fault(path, message, "meaning", at_key=True)
        version = backend.address.version
        family = family or (version, member)
        if version != family[0]:
            message = (
                f"backend {member!r} has an IPv{version} address and {family[1]!r} an IPv{family[0]} one: "
                "the backends of a frontend, over all its pools, must be of one family"
            )
            yield Fault(path, message, "meaning", at_key=True)


def _places(name: str, pools: tuple[PoolConfig, ...]) -> Iterator[tuple[Path, str]]:
    for position, pool in enumerate(pools):
        for member in pool.backends:
            yield (*_FRONTENDS, name, "pools", position, "backends", member), member


@attrs.define
class _Tenants:
    """The frontends with a VIP on one address, as far as seen: the first of each kind."""

    keys: dict[VipKey, str] = attrs.field(factory=dict)
    all_ports: str = ""
    one_port: str = ""
    family: tuple[int, str] | None = None


def _vips(draft: Draft) -> Iterator[Fault]:
    """Check what the frontends on one VIP address ask of a dataplane that ties them together."""
    by_address: dict[IPv4Address | IPv6Address, _Tenants] = {}
    for name, frontend in draft.frontends.items():
        tenants = by_address.setdefault(frontend.address, _Tenants())
        path: Path = (*_FRONTENDS, name, "address")
        for message in _conflicts(tenants, name, frontend, _family(draft, frontend)):
            yield Fault(path, message, "meaning")


def _conflicts(tenants: _Tenants, name: str, frontend: FrontendConfig, family: int | None) -> Iterator[str]:
    key = vip_key(frontend)
    other = tenants.keys.setdefault(key, name)
    if other != name:
        yield f"frontends {other!r} and {name!r} have the same VIP, {key}"
    elif frontend.port == 0 and tenants.one_port:
        yield f"this frontend takes all ports of {key.address}, but frontend {tenants.one_port!r} has one of them"
    elif frontend.port and tenants.all_ports:
        yield f"frontend {tenants.all_ports!r} already has all ports of {key.address}"
    if frontend.port:
        tenants.one_port = tenants.one_port or name
    else:
        tenants.all_ports = tenants.all_ports or name
    if family is None:
        return
    tenants.family = tenants.family or (family, name)
    if tenants.family[0] != family:
        yield (
            f"frontend {tenants.family[1]!r} has the same VIP address and IPv{tenants.family[0]} backends, this one "
            f"IPv{family} backends: all frontends of an address must have the same encapsulation"
        )


def _family(draft: Draft, frontend: FrontendConfig) -> int | None:
    for _, member in _places("", frontend.pools):
        backend = draft.backends.get(member)
        if backend is not None:
            return backend.address.version
    return None
