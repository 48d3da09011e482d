"""Decides who may come in: how many connections there may be, in all and of one host. No I/O."""

from __future__ import annotations

from collections.abc import Hashable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Generic, TypeVar

import attrs

from maglev.listening import unmapped

Guest = TypeVar("Guest", bound=Hashable)


def host_of(address: str) -> str:
    """Tell whose an address is: a /64 is one host with IPv6, as it can take any address in it.

    Args:
        address: As a socket names it, perhaps with a zone; what is no address stands for itself.
    """
    try:
        parsed = ip_address(unmapped(address))
    except ValueError:
        return address
    return str(ip_network((int(parsed), 64), strict=False)) if isinstance(parsed, IPv6Address) else str(parsed)


@attrs.define(eq=False)
class Door(Generic[Guest]):
    """Counts who is in.

    When all places are taken, a host that holds more of them than the newcomer's would gives one up. So one host, or
    a few, cannot keep another out.

    Args:
        most: How many guests there may be; may be changed, and those who are in stay.
        each: How many of one host; likewise.
    """

    most: int
    each: int
    _hosts: dict[Guest, Hashable] = attrs.field(factory=dict, init=False)
    _guests: dict[Hashable, dict[Guest, None]] = attrs.field(factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._hosts)

    def enter(self, guest: Guest, host: Hashable) -> Guest | None:
        """Let a guest in, if there is room.

        Args:
            guest: The newcomer.
            host: Where it comes from.

        Returns:
            Whose connection must be closed: `None` for nobody's, the newcomer itself if it was not let in, or the
            newest of the host that has the most, which is counted no more: idle connections are ended after a while, so
            who is in for long is in use.
        """
        present = len(self._guests.get(host, ()))
        if present >= self.each or self.most < 1:
            return guest
        leaving = None
        if len(self._hosts) >= self.most:
            most_of_one = max(self._guests.values(), key=len)
            if len(most_of_one) <= present + 1:
                return guest
            leaving = next(reversed(most_of_one))
            self.leave(leaving)
        self._hosts[guest] = host
        self._guests.setdefault(host, {})[guest] = None
        return leaving

    def leave(self, guest: Guest) -> None:
        """Count a guest no more; one that is not in is none."""
        host = self._hosts.pop(guest, None)
        if host is None:
            return
        of_host = self._guests[host]
        del of_host[guest]
        if not of_host:
            del self._guests[host]
