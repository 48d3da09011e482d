"""The checker `icmp`: echo over IPv4 and IPv6."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import ClassVar

from maglev.api import MuxChecker, ProbeResult
from maglev_icmp.mux import EchoMux
from maglev_icmp.sockets import open_sockets


class IcmpChecker(MuxChecker):
    """`type: icmp`. There is nothing to set."""

    name: ClassVar[str] = "icmp"
    needs_port: ClassVar[bool] = False
    needs_raw_socket: ClassVar[bool] = True

    def open(self, family: socket.AddressFamily, report: Callable[[int, ProbeResult], None]) -> EchoMux:
        return EchoMux(open_sockets(family), report)
