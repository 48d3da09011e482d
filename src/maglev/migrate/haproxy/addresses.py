"""Reads addresses of `bind` and `server` lines: with a family before them, brackets, ports and ranges of ports."""

from __future__ import annotations

import re
from ipaddress import ip_address

import attrs

from maglev.migrate.values import port_number

_PREFIX = re.compile(
    r"(?:(?P<transport>stream|dgram|quic)\+)?(?P<family>ip|ipv4|ipv6)@|(?P<alias>tcp|udp|quic|mptcp)(?P<version>[46]?)@"
)
_NO_HOST = re.compile(r"/|(?:(?:stream|dgram)\+)?(?:unix|uxst|uxdg|uxdg|abnsz?|fd|sockpair|rhttp)@")
_PORTS = re.compile(r"([0-9]+)(?:-([0-9]+))?", re.ASCII)
_MOST_PORTS = 1024


@attrs.frozen
class Endpoint:
    """An address as it stands in the configuration.

    Args:
        host: An address or a name; empty or `*` for all addresses.
        ports: Its ports; empty if none is given.
        offset: Whether the port is that of the client, or one so far from it.
        family: 4 or 6 if that is said; else 0.
        datagram: Whether it is UDP.
    """

    host: str
    ports: range
    offset: bool
    family: int
    datagram: bool


def endpoint_of(text: str) -> Endpoint | None:
    """Read an address; `None` if it is no address of a network, or its ports are none."""
    if _NO_HOST.match(text):
        return None
    family, datagram = 0, False
    if found := _PREFIX.match(text):
        family = int(found["version"] or {"ipv4": "4", "ipv6": "6"}.get(found["family"] or "", "0") or 0)
        datagram = found["alias"] in ("udp", "quic") or found["transport"] in ("dgram", "quic")
        text = text[found.end() :]
    host, port = _split(text)
    if port in ("", "0"):
        return Endpoint(host, range(0), offset=False, family=family, datagram=datagram)
    if port[0] in "+-":
        return Endpoint(host, range(0), offset=True, family=family, datagram=datagram)
    ports = _ports(port)
    return None if ports is None else Endpoint(host, ports, offset=False, family=family, datagram=datagram)


def _split(text: str) -> tuple[str, str]:
    """Split at the last colon: all before it is the host, unless only the whole is an address."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, rest.removeprefix(":")
    host, colon, port = text.rpartition(":")
    if not colon:
        return text, ""
    if ":" in host and not _is_address(host) and _is_address(text):
        return text, ""
    return host, port


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _ports(text: str) -> range | None:
    if not (found := _PORTS.fullmatch(text)):
        return None
    first, last = port_number(found[1]), port_number(found[2] or found[1])
    if first is None or last is None or not 0 <= last - first < _MOST_PORTS:
        return None
    return range(first, last + 1)
