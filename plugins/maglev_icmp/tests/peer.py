"""A mux, and a peer that sees its requests and sends what a test wants."""

from __future__ import annotations

import select
import socket
import struct
from ipaddress import ip_address
from typing import Any

from maglev.api import ProbeResult, Target
from maglev_icmp.checker import IcmpChecker
from maglev_icmp.mux import EchoMux

FENCE = 0xFFFFFFFF
INET = {4: socket.AF_INET, 6: socket.AF_INET6}
PROTO = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
REQUEST, REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}
UNREACHABLE, EXCEEDED = {4: 3, 6: 1}, {4: 11, 6: 3}
HOST = {4: "127.0.0.{}", 6: "fd00::{}"}


class MuxAndPeer:
    """A mux, and a peer at host number 2 that sees requests and sends what the test wants."""

    def __init__(self, namespace: Any, version: int) -> None:
        self.version = version
        self.namespace = namespace
        self.reports: list[tuple[int, ProbeResult]] = []
        self.mux: EchoMux = namespace.run(IcmpChecker(IcmpChecker.Options()).open, INET[version], self.on_report)
        self.peer = self.open_host(2)
        self.other = self.open_host(3)

    def on_report(self, token: int, result: ProbeResult) -> None:
        self.reports.append((token, result))

    def open_host(self, number: int) -> socket.socket:
        """A raw socket that receives and sends as one host."""
        sock: socket.socket = self.namespace.run(
            socket.socket, INET[self.version], socket.SOCK_RAW, PROTO[self.version]
        )
        sock.bind((HOST[self.version].format(number), 0))
        sock.settimeout(20)  # only so that a failing test ends
        return sock

    def target(self, number: int = 2, **more: Any) -> Target:
        return Target("a", ip_address(HOST[self.version].format(number)), **more)

    def request(self) -> tuple[bytes, tuple[Any, ...]]:
        """The next echo request that the peer hears, from its ICMP header on, and whence it came."""
        while True:
            data, address = self.peer.recvfrom(2048)
            data = data[20:] if self.version == 4 else data
            if data[0] == REQUEST[self.version]:
                return data, address

    def ask(self, token: int = 7) -> tuple[bytes, tuple[Any, ...]]:
        self.mux.start(token, self.target())
        return self.request()

    def answer(self, request: bytes, address: tuple[Any, ...], open_host: socket.socket | None = None) -> None:
        (open_host or self.peer).sendto(self.packet(REPLY[self.version], request[4:]), address)

    def packet(self, type_: int, rest: bytes, code: int = 0) -> bytes:
        packet = struct.pack("!BBH", type_, code, 0) + rest
        even = packet + bytes(len(packet) % 2)
        return packet[:2] + struct.pack("!H", _checksum(even)) + packet[4:]

    def send_error(
        self, type_: int, request: bytes, address: tuple[Any, ...], quoted: int | None = None, destination: int = 2
    ) -> None:
        """Send an error message about a request, as a router would."""
        from_, to = (
            socket.inet_pton(INET[self.version], text) for text in (address[0], HOST[self.version].format(destination))
        )
        if self.version == 4:
            header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(request), 1, 0, 64, 1, 0, from_, to)
        else:
            header = struct.pack("!IHBB16s16s", 6 << 28, len(request), 58, 64, from_, to)
        self.other.sendto(self.packet(type_, bytes(4) + header + request[:quoted]), address)

    def drain(self) -> list[tuple[int, ProbeResult]]:
        """Read until a probe that was started last has its answer, so that all said before was read too."""
        self.answer(*self.ask(FENCE))
        self.wait_for(FENCE)
        return [report for report in self.reports if report[0] != FENCE]

    def wait_for(self, token: int) -> ProbeResult:
        (fd,) = self.mux.fds()
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        while token not in dict(self.reports):
            assert poll.poll(20_000), "nothing came"  # only so that a failing test ends
            while self.mux.readable(fd):
                pass
        return dict(self.reports)[token]

    def close(self) -> None:
        for each in (self.mux, self.peer, self.other):
            each.close()


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    complement: int = ~(total + (total >> 16)) & 0xFFFF
    return complement
