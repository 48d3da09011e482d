"""Names of servers in options: what can be said in a Host header, sent as SNI and looked for in a certificate.

Whatever passes here the TLS library takes: what it would refuse is found by `maglevd check`, and not by every probe.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Any

import attrs

_HOST = re.compile(r"(?:\[([^\[\]]*)\]|([^:\[\]]*))(?::([0-9]{1,5}))?|[^:\[\]]*(?::[^:\[\]]*){2,}")
_NAME = re.compile(r"[A-Za-z0-9._-]*")
_LONGEST_NAME, _LONGEST_LABEL = 253, 63  # RFC 1035, section 2.3.4, as text


def check_name(name: str, option: str) -> None:
    """See that a server can have this name: one of the DNS, or an IP address. Underscores are let pass.

    Args:
        name: Without a port or brackets.
        option: The option that it stands in, for messages.

    Raises:
        ValueError: It cannot.
    """
    if wrong := _objection(name):
        raise ValueError(f"{option} {name!r} cannot be sent: {wrong}")


def check_host(host: str, option: str) -> None:
    """See that a Host header can say this: a name or an address, with a port if you like; IPv6 with brackets or bare.

    Unlike `check_name` it lets a dot stand at the end, which `name_of` removes.

    Raises:
        ValueError: It cannot.
    """
    found = _HOST.fullmatch(host)
    wrong = _objection(name_of(host)) if found else "wanted a name or an address, with a port if you like"
    if found and found[1] is not None and ":" not in found[1]:
        wrong = "only IPv6 addresses have brackets"
    if found and found[3] and not 0 < int(found[3]) < 65_536:
        wrong = f"port {found[3]} is out of range: 1 to 65535 is allowed"
    if wrong:
        raise ValueError(f"{option} {host!r} cannot be sent: {wrong}")


def name_of(host: str) -> str:
    """The name or address in a Host header, as TLS wants it: without port, brackets, and a dot at the end."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name = host if host.count(":") > 1 else host.partition(":")[0]
    return name.removesuffix(".")


def server_name(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    """Validate an option that names a server; empty is allowed."""
    if value:
        check_name(value, _key(attribute))


def host(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    """Validate an option that is sent as Host header; empty is allowed."""
    if value:
        check_host(value, _key(attribute))


def _key(attribute: attrs.Attribute[Any]) -> str:
    return attribute.name.replace("_", "-")


def _objection(name: str) -> str:
    """Say what is wrong with a name or address; empty if nothing is."""
    if ":" in name or re.fullmatch(r"[0-9]+(?:\.[0-9]+){3}", name):
        return "" if _is_address(name) else "this is not an IP address"
    labels = name.split(".")
    if not _NAME.fullmatch(name):
        return "use letters, digits, - and _, with dots between; other alphabets are written as xn--…"
    if not all(labels):
        return "it has nothing before or behind a dot"
    if len(name) > _LONGEST_NAME or max(map(len, labels)) > _LONGEST_LABEL:
        return f"at most {_LONGEST_NAME} characters are allowed, and {_LONGEST_LABEL} between dots"
    wrong = next((label for label in labels if label[:4].lower() == "xn--" and not _is_punycode(label[4:])), "")
    return f"{wrong} is invalid" if wrong else ""


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text  # a zone means something to this host only


def _is_punycode(text: str) -> bool:
    try:
        return not text.encode().decode("punycode").isascii()
    except UnicodeError:
        return False
