"""Finds missing permissions that the configuration needs, to log them once at start."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping

from maglev.api import Checker
from maglev.config import Config
from maglev.probing import check_permitted


def missing_permissions(config: Config, checkers: Mapping[str, type[Checker]]) -> tuple[str, ...]:
    """Describe each missing permission, and how to grant it."""
    return (*_raw_sockets(config, checkers), *_namespace(config))


def _raw_sockets(config: Config, checkers: Mapping[str, type[Checker]]) -> Iterator[str]:
    wanting = [
        name
        for name, check in config.healthchecks.items()
        if (cls := checkers.get(check.type)) and cls.needs_raw_socket
    ]
    if wanting and not (_can_open(socket.SOCK_RAW) or _can_open(socket.SOCK_DGRAM)):
        yield (
            f"health checks {', '.join(wanting)}: no raw sockets (CAP_NET_RAW is missing) and no ping sockets "
            "(the group is not within net.ipv4.ping_group_range): their probes will be void"
        )


def _can_open(kind: socket.SocketKind) -> bool:
    try:
        socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP).close()
    except OSError:
        return False
    return True


def _namespace(config: Config) -> Iterator[str]:
    why = check_permitted(config.healthchecker.netns)
    if why is not None:
        yield f"network namespace {config.healthchecker.netns}: {why}: probes will be void until it can be entered"
