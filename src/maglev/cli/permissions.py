"""Finds missing permissions that the configuration needs, to log them once at start."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping

from maglev.api import Checker
from maglev.config import Config
from maglev.probing import ask_inside

_RAW, _PING = socket.SOCK_RAW, socket.SOCK_DGRAM


def missing_permissions(config: Config, checkers: Mapping[str, type[Checker]]) -> tuple[str, ...]:
    """Describe each missing permission, and how to grant it.

    Looked for in the namespace that probes run in: `net.ipv4.ping_group_range` is a setting of each namespace.
    """
    return tuple(_missing(config, checkers))


def _missing(config: Config, checkers: Mapping[str, type[Checker]]) -> Iterator[str]:
    netns = config.healthchecker.netns
    try:
        kinds = ask_inside(netns, lambda: {kind for kind in (_RAW, _PING) if _can_open(kind)})
    except OSError as error:
        yield f"network namespace {netns}: {error}: probes will be void until it can be entered"
        return
    wanting = {
        name: check
        for name, check in config.healthchecks.items()
        if (cls := checkers.get(check.type)) and cls.needs_raw_socket
    }
    where = f" in network namespace {netns}" if netns else ""
    if wanting and not kinds:
        yield (
            f"health checks {', '.join(wanting)}: no raw sockets{where} (CAP_NET_RAW is missing) and no ping sockets "
            "(the group is not within its net.ipv4.ping_group_range): their probes will be void"
        )
    sourced = [name for name, check in wanting.items() if check.probe_ipv6_src]
    if sourced and kinds == {_PING}:
        yield (
            f"health checks {', '.join(sourced)}: no raw sockets{where} (CAP_NET_RAW is missing), and ping sockets "
            "cannot use probe-ipv6-src: their probes over IPv6 will be void"
        )


def _can_open(kind: socket.SocketKind) -> bool:
    try:
        socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP).close()
    except OSError:
        return False
    return True
