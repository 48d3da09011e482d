"""Somebody else who writes to the lb plugin between any two messages of a client, also of one that pipelines them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .lb import Lb, Vip

PINGS = ("control_ping", "memclnt_keepalive_reply")
"""Messages that come by the clock, and are not counted."""
WRITES = ("lb_add_del_vip_v2", "lb_add_del_as_v2", "lb_as_set_weight")
BODY, VIP_SIZE, RETVAL = 10, 21, slice(6, 10)


class Meddler:
    """Does what it is told before the message of that number, and notes the conversation.

    Args:
        deeds: By number of the message, from 0 on: lists of a method's name of `Lb` or `add_vip`, and its arguments.
    """

    def __init__(self, deeds: Mapping[int, Sequence[Sequence[Any]]] | None = None) -> None:
        self.conversation: list[list[Any]] = []
        self._deeds = deeds or {}
        self._number = 0

    def before(self, name: str, lb: Lb) -> None:
        """Do what is due before a message."""
        if name in PINGS:
            return
        for deed, *arguments in self._deeds.get(self._number, ()):
            _DEEDS[deed](lb, *arguments)
        self._number += 1

    def after(self, name: str, message: bytes, answers: Sequence[bytes]) -> None:
        """Note a message: its name; of a write also the VIP as it was sent, and the return value."""
        if name in WRITES and answers:
            if name == "lb_add_del_vip_v2":  # `is_del` is its last field
                name = "lb_del_vip" if message[-1] else "lb_add_vip"
            retval = int.from_bytes(answers[0][RETVAL], "big", signed=True)
            self.conversation.append([name, message[BODY : BODY + VIP_SIZE].hex(), retval])
        elif name.startswith("lb_"):
            self.conversation.append([name, "", 0])


def _prefix(address: str) -> tuple[bytes, int]:
    return bytes.fromhex(address), 128


def _add_vip(lb: Lb, address: str, protocol: int, port: int, encap: int, length: int, sticky: bool) -> None:
    lb.add_vip(Vip(_prefix(address), protocol, port, encap, length, sticky))


def _delete_vip(lb: Lb, address: str, protocol: int, port: int) -> None:
    lb.delete_vip(_prefix(address), protocol, port)


def _add_server(lb: Lb, address: str, protocol: int, port: int, server: str, weight: int) -> None:
    lb.add_server(lb.find(_prefix(address), protocol, port), bytes.fromhex(server), weight)


def _delete_server(lb: Lb, address: str, protocol: int, port: int, server: str) -> None:
    lb.delete_server(lb.find(_prefix(address), protocol, port), bytes.fromhex(server), flush=False)


def _set_weight(lb: Lb, address: str, protocol: int, port: int, server: str, weight: int) -> None:
    lb.set_weight(lb.find(_prefix(address), protocol, port), bytes.fromhex(server), weight, flush=False)


def _conf(lb: Lb, buckets: int, timeout_s: int) -> None:
    lb.conf(lb.ip4_source, lb.ip6_source, buckets, timeout_s)


_DEEDS: Mapping[str, Callable[..., None]] = {
    "add_vip": _add_vip,
    "delete_vip": _delete_vip,
    "add_server": _add_server,
    "delete_server": _delete_server,
    "set_weight": _set_weight,
    "conf": _conf,
}
