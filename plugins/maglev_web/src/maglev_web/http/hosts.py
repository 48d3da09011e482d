"""Answers only under allowed host names, against DNS rebinding: another site's name may lead to this address."""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^\[\]:]+)(?::\d{0,5})?", re.ASCII)
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", re.ASCII)


def read_hosts(text: str) -> tuple[str, ...]:
    """Read host names, separated by commas.

    Args:
        text: As `maglev.example.org`, without ports.

    Raises:
        ValueError: One is no host name.
    """
    hosts = tuple(_plain(part.strip()) for part in text.split(",") if part.strip())
    for host in hosts:
        if not _NAME.fullmatch(host):
            raise ValueError(f"{host!r} is not a host name such as `maglev.example.org`, without a port")
    return hosts


def is_allowed(host: str, allowed: Collection[str]) -> bool:
    """Whether a `Host` header may be answered: an address, `localhost`, or a name that is allowed.

    Args:
        host: The header.
        allowed: Names in small letters.
    """
    match = _HOST.fullmatch(host.lower())
    if match is None:
        return False
    name = _plain(match["name"])
    return name == "localhost" or name in allowed or _is_address(name.strip("[]"))


def _plain(name: str) -> str:
    return name.lower().removesuffix(".")


def _is_address(text: str) -> bool:
    # No name of another site: there is nothing to rebind.
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


class AllowedHosts:
    """Answers only who asks for a host that is allowed."""

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        self._app = app
        self._allowed = frozenset(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            return
        hosts = Headers(scope=scope).getlist("host")
        if len(hosts) == 1 and is_allowed(hosts[0], self._allowed):
            await self._app(scope, receive, send)
            return
        await PlainTextResponse("this server is not asked under that name\n", 421)(scope, receive, send)
