"""What the arguments of commands must be. Each check raises `ValueError`, saying what is allowed."""

from __future__ import annotations

from ipaddress import ip_address


def weight(text: str) -> int:
    """A weight, 0 to 100."""
    return _whole(text, 0, 100)


def port(text: str) -> int:
    """A port of a flow, 0 to 65535."""
    return _whole(text, 0, 65535)


def count(text: str) -> int:
    """How many, from 1."""
    return _whole(text, 1, 10**9)


def address(text: str) -> object:
    """An IPv4 or IPv6 address."""
    try:
        return ip_address(text)
    except ValueError:
        raise ValueError("an IPv4 or IPv6 address is wanted") from None


def _whole(text: str, least: int, most: int) -> int:
    wanted = f"a whole number from {least}" + (f" to {most}" if most < 10**9 else "")
    if not (text.isascii() and text.isdecimal()) or len(text) > 10 or not least <= int(text) <= most:
        raise ValueError(f"{wanted} is wanted")
    return int(text)
