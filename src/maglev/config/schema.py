"""The configuration as values: one class per mapping of the YAML, one field per key.

They can be made in code as well: durations may then be `timedelta`, numbers of seconds or `"500ms"`, addresses may be
text. A value that is wrong by itself (a weight of 101) raises `ValueError` at once; what is wrong between values is
found by `maglev.config.check`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Literal

import attrs
from attrs.converters import optional

from maglev.api import IPProtocol, option
from maglev.config.rules import between, lasting, on_a_link, power_of_two, routed
from maglev.config.values import address, duration, duration_or_none, server_address
from maglev.domain.model import WhenNoneUp


def about(help: str, *, examples: tuple[Any, ...] = (), allowed: str = "") -> dict[str, Any]:  # noqa: A002 - as `option`
    """Return the metadata of an option, for fields whose converter type checkers should see."""
    return dict(option(help=help, examples=examples, allowed=allowed).metadata)


def in_order(value: Sequence[PoolConfig]) -> tuple[PoolConfig, ...]:
    """Take pools in any sequence."""
    return tuple(value)


_MS = timedelta(milliseconds=1)
_S = timedelta(seconds=1)
_DAY = timedelta(days=1)

_CADENCE = lasting(10 * _MS, _DAY)
_NOTE = "default: `interval`"


@attrs.frozen
class HealthCheckerConfig:
    """`maglev.healthchecker`: settings for all health checks."""

    transition_history: int = option(5, help="How many transitions to keep per backend", validator=between(1, 10_000))
    netns: str | None = option(
        None,
        help="Network namespace to probe in, by name or path; default: that of maglevd",
        examples=("dataplane",),
    )


@attrs.frozen
class LbConfig:
    """`maglev.<dataplane>.lb`: settings that apply to any dataplane."""

    ipv4_src_address: IPv4Address | None = attrs.field(
        default=None,
        converter=optional(IPv4Address),
        validator=routed(),
        metadata=about("Outer source address of GRE over IPv4; `vpp` requires it", examples=("192.0.2.1",)),
    )
    ipv6_src_address: IPv6Address | None = attrs.field(
        default=None,
        converter=optional(IPv6Address),
        validator=routed(),
        metadata=about("Outer source address of GRE over IPv6; `vpp` requires it", examples=("2001:db8::1",)),
    )
    sync_interval: timedelta = attrs.field(
        default=30 * _S,
        converter=duration,
        validator=lasting(_S, _DAY),
        metadata=about("Interval of full comparisons with the dataplane; changes are written at once"),
    )
    sticky_buckets_per_core: int = option(
        65_536,
        help="Buckets of each worker's table of established flows, with four flows each; VPP takes 64 bytes per bucket",
        validator=power_of_two(1, 1 << 25),
    )
    flow_timeout: timedelta = attrs.field(
        default=40 * _S,
        converter=duration,
        validator=lasting(_S, 120 * _S, whole=True),
        metadata=about("How long an idle flow stays with its server, in whole seconds"),
    )
    startup_min_delay: timedelta = attrs.field(
        default=5 * _S,
        converter=duration,
        validator=lasting(0 * _S, _DAY),
        metadata=about(
            "Hold all writes for this long after the start; 0, with `startup-max-delay` 0, switches the warm-up off"
        ),
    )
    startup_max_delay: timedelta = attrs.field(
        default=30 * _S,
        converter=duration,
        validator=lasting(0 * _S, _DAY),
        metadata=about(
            "Release frontends with unknown backends this long after the start; at least `startup-min-delay`"
        ),
    )
    new_flow_table_length: int = option(
        16_384,
        help="Buckets of the new-flow table, for VIPs created from now on; VPP takes 4 bytes per bucket",
        validator=power_of_two(16, 65_536),
    )
    weight_step: int | Literal["auto"] = option(
        "auto",
        help="Divisor of weights in the table; `auto`: greatest common divisor of 10 and the frontend's weights",
        validator=between(1, 100),
        allowed="1 to 100, or auto",
    )


@attrs.frozen
class HealthCheckConfig:
    """One of `maglev.healthchecks`: a way to probe backends.

    Args:
        params: The checker's own options: an instance of its `Options`; in code also a mapping of YAML keys, or `None`.
    """

    type: str = option(help="The checker: `http`, `https`, `tcp`, `icmp`, or one of another plugin")
    port: int | None = option(None, help="Port to probe, if the type has ports", validator=between(1, 65_535))
    params: Any = option(None, help="The checker's own options")
    interval: timedelta = attrs.field(
        default=2 * _S,
        converter=duration,
        validator=_CADENCE,
        metadata=about("Time between the starts of two probes while a backend is up and its counter at the maximum"),
    )
    fast_interval: timedelta | None = attrs.field(
        default=None,
        converter=duration_or_none,
        validator=_CADENCE,
        metadata=about(
            f"Interval while it is unknown, or its counter between 0 and the maximum; {_NOTE}", examples=("500ms",)
        ),
    )
    down_interval: timedelta | None = attrs.field(
        default=None,
        converter=duration_or_none,
        validator=_CADENCE,
        metadata=about(f"Interval while it is down and its counter 0; {_NOTE}", examples=("10s",)),
    )
    timeout: timedelta = attrs.field(
        default=1.5 * _S,
        converter=duration,
        validator=_CADENCE,
        metadata=about("Longest time of one probe; with 1s or less one lost SYN is a failure, see below"),
    )
    rise: int = option(2, help="How many passes in a row bring a backend up", validator=between(1, 1000))
    fall: int = option(3, help="How many failures in a row take a backend down", validator=between(1, 1000))
    probe_ipv4_src: IPv4Address | None = attrs.field(
        default=None,
        converter=optional(IPv4Address),
        metadata=about("Probe IPv4 backends from this local address", examples=("192.0.2.9",)),
    )
    probe_ipv6_src: IPv6Address | None = attrs.field(
        default=None,
        converter=optional(IPv6Address),
        validator=on_a_link(),
        metadata=about("Probe IPv6 backends from this local address", examples=("2001:db8::9", "fe80::9%eth0")),
    )


@attrs.frozen
class BackendConfig:
    """One of `maglev.backends`: a server."""

    address: IPv4Address | IPv6Address = attrs.field(
        converter=server_address,
        validator=on_a_link(),
        metadata=about(
            "The server's address, for probes and for traffic; a zone names an interface in the probes' namespace",
            examples=("2001:db8:1::10", "fe80::10%eth0"),
        ),
    )
    healthcheck: str | None = option(
        None, help="The health check to pass; without one the backend is up unless disabled", examples=("web",)
    )
    enabled: bool = option(True, help="Use the backend; `false` disables it")


@attrs.frozen
class MemberConfig:
    """One of a pool's `backends`."""

    weight: int = option(
        100, help="Share of new flows, relative to the pool's other backends; 0: none", validator=between(0, 100)
    )


@attrs.frozen
class PoolConfig:
    """One of a frontend's `pools`: backends that serve together."""

    name: str = option(help="Unique within the frontend", examples=("primary",))
    backends: Mapping[str, MemberConfig] = option(help="The pool's backends, by name")
    min_up: int = option(
        1,
        help="Prefer the next pool if fewer backends are up with a weight above 0",
        validator=between(1, 1_000_000),
    )


@attrs.frozen
class FrontendConfig:
    """One of `maglev.frontends`: a VIP and its pools of backends."""

    address: IPv4Address | IPv6Address = attrs.field(
        converter=address,
        validator=routed(),
        metadata=about("The VIP that clients connect to, a host address", examples=("203.0.113.80",)),
    )
    pools: tuple[PoolConfig, ...] = attrs.field(converter=in_order, metadata=about("The pools, in order of preference"))
    protocol: IPProtocol = attrs.field(
        default=IPProtocol.ANY,
        converter=IPProtocol,
        metadata=about("Protocol of the VIP; `any` only with all ports"),
    )
    port: int = option(0, help="The VIP's port; 0: all ports", validator=between(0, 65_535))
    description: str = option("", help="Free text for people")
    src_ip_sticky: bool = option(
        False, help="Hash only the source address, so that a client always gets the same server"
    )
    flush_on_down: bool = option(True, help="Flush the established flows of a backend that goes down")
    when_none_up: WhenNoneUp = attrs.field(
        default=WhenNoneUp.DROP,
        converter=WhenNoneUp,
        metadata=about("If no backend is up: `drop` new flows, or `hold` the last weights (fail open)"),
    )


@attrs.frozen
class Config:
    """Everything under `maglev:`.

    Args:
        dataplane: Which dataplane holds the VIPs.
        dataplane_options: Its own options; `None` for the defaults, which loading and checking put in place.
        exporters: Options by exporter; those that are installed and not named get their defaults.
    """

    healthchecker: HealthCheckerConfig = attrs.field(factory=HealthCheckerConfig)
    dataplane: str = "memory"
    lb: LbConfig = attrs.field(factory=LbConfig)
    dataplane_options: Any = None
    exporters: Mapping[str, Any] = attrs.field(factory=dict)
    healthchecks: Mapping[str, HealthCheckConfig] = attrs.field(factory=dict)
    backends: Mapping[str, BackendConfig] = attrs.field(factory=dict)
    frontends: Mapping[str, FrontendConfig] = attrs.field(factory=dict)
