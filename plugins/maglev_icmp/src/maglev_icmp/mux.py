"""All echo requests of one family in one network namespace, over few sockets."""

from __future__ import annotations

import errno
import os
import secrets
import socket
from collections.abc import Callable
from functools import lru_cache

import attrs
from icmplib.exceptions import ICMPError
from icmplib.models import ICMPReply

from maglev.api import Code, Mux, ProbeResult, Target
from maglev_icmp.packet import Kind, Packet, echo_request, parse, parse_quoted, token_of
from maglev_icmp.sockets import (
    MOST_SENDERS,
    Address,
    EchoSockets,
    clear_error,
    has_route,
    is_full,
    next_error,
    scope_index,
    source_ancillary,
    source_is_local,
)

BOUND = 64
"""The most packets that are read in one turn."""
_KEY_BYTES = 20
_READ = 2048
_ALIVE = ProbeResult(Code.L4OK, "echo reply")
_NO_SOURCE = ProbeResult(Code.NOPORT, "a source address over IPv6 needs CAP_NET_RAW")
_SILENT = ProbeResult(Code.L4TOUT, "no echo reply in time")


@attrs.frozen
class Waiting:
    """A request that was sent.

    Args:
        token: The engine's token.
        packed: Where it was sent to, packed.
        scope: The interface's number if that is a link-local address, else 0.
    """

    token: int
    packed: bytes
    scope: int


class EchoMux(Mux):
    """Sends echo requests and matches replies and errors to them.

    What goes out as token is the engine's, masked with a secret of this mux, and it follows another secret in the
    payload: only a host that saw the request can answer it. A reply must come from where the request went.
    """

    def __init__(self, sockets: EchoSockets, report: Callable[[int, ProbeResult], None]) -> None:
        self._sockets = sockets
        self._family = sockets.family
        self._sender = sockets.senders[0]
        self._full = False
        self._report = report
        self._inet = socket.AF_INET if self._family.version == 4 else socket.AF_INET6
        self._mask = secrets.randbits(32)
        self._key = secrets.token_bytes(_KEY_BYTES)
        self._waiting: dict[int, Waiting] = {}
        self._receivers = {sock.fileno(): sock for sock in sockets.receivers}

    def fds(self) -> tuple[int, ...]:
        return tuple(self._receivers)

    def widen(self) -> tuple[int, ...] | None:
        if not self._full or len(self._sockets.senders) >= MOST_SENDERS:
            return None
        self._sockets.add_sender()
        self._sender = self._sockets.senders[-1]
        new = {sock.fileno(): sock for sock in self._sockets.receivers if sock.fileno() not in self._receivers}
        self._receivers |= new
        return tuple(new)

    def start(self, token: int, target: Target) -> None:
        source = target.source.packed if target.source else b""
        if source and not self._sockets.keeps_source:
            self._report(token, _NO_SOURCE)
            return
        wire_token = token ^ self._mask
        packed = target.address.packed
        scope = _scope(self._sender, target)
        text = socket.inet_ntop(self._inet, packed)
        address: Address = (text, 0) if self._inet == socket.AF_INET else (text, 0, 0, scope)
        self._send(echo_request(self._family, wire_token, self._key), address, source)
        self._waiting[wire_token] = Waiting(token, packed, scope)

    def readable(self, fd: int) -> bool:
        sock = self._receivers[fd]
        raw = self._sockets.raw
        more_errors = not raw and self._read_errors(sock)
        for _ in range(BOUND):
            try:
                data, address = sock.recvfrom(_READ)
            except BlockingIOError:
                return more_errors
            except OSError:  # an error that belongs to a packet sent earlier: the queue tells which
                more_errors = not raw and self._read_errors(sock)
                continue
            packet = parse(self._family, data, with_ip_header=self._sockets.with_ip_header)
            if packet is not None:
                self._judge(packet, address)
        return True

    def expire(self, token: int) -> ProbeResult:
        self._waiting.pop(token ^ self._mask, None)
        return _SILENT

    def close(self) -> None:
        self._waiting.clear()
        self._sockets.close()

    def _send(self, packet: bytes, address: Address, source: bytes) -> None:
        """Send a packet.

        Raises:
            OSError: It could not be sent; EADDRNOTAVAIL if its source address is not ours, ENOBUFS if there is no room.
        """
        self._full = False
        try:
            self._send_once(self._sender, packet, address, source)
        except OSError as error:
            self._send_again(error, packet, address, source)

    def _send_again(self, error: OSError, packet: bytes, address: Address, source: bytes) -> None:
        """Send a packet where that failed for no fault of its own: the socket was full, or had an error to report."""
        if not self._sockets.raw and error.errno != errno.EAGAIN:
            # A datagram socket reports the error of an earlier packet at the next call, once.
            clear_error(self._sender)
            try:
                return self._send_once(self._sender, packet, address, source)
            except OSError as again:
                error = again
        if source and not source_is_local(self._family, self._sender, source):
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL)) from error
        if error.errno == errno.EAGAIN or is_full(self._sender):
            return self._send_elsewhere(error, packet, address, source)
        # EINVAL is a black hole. But over IPv6 it is also a full neighbour table (`ip6_finish_output2` of the kernel).
        ancillary = source_ancillary(self._family, source) if source else []
        if error.errno == errno.EINVAL and has_route(self._sender, packet, address, ancillary):
            raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS)) from error
        raise error

    def _send_elsewhere(self, error: OSError, packet: bytes, address: Address, source: bytes) -> None:
        for sock in self._sockets.senders:
            if not is_full(sock):
                self._sender = sock
                clear_error(sock)
                return self._send_once(sock, packet, address, source)
        self._full = True
        raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS)) from error

    def _send_once(self, sock: socket.socket, packet: bytes, address: Address, source: bytes) -> None:
        if source:
            sock.sendmsg([packet], source_ancillary(self._family, source), 0, address)
        else:
            sock.sendto(packet, address)

    def _judge(self, packet: Packet, address: Address) -> None:
        """Report what a packet decides, if it is about a request of ours."""
        if packet.kind is Kind.REPLY:
            self._judge_reply(packet, address)
        else:
            self._judge_error(packet, address[0])

    def _judge_reply(self, packet: Packet, address: Address) -> None:
        wire_token = token_of(packet.payload, self._key)
        if wire_token is None or not self._numbers_match(packet, wire_token):
            return
        waiting = self._waiting.get(wire_token)
        if waiting is None or socket.inet_pton(self._inet, address[0].partition("%")[0]) != waiting.packed:
            return
        if waiting.scope and len(address) == 4 and address[3] != waiting.scope:
            return
        del self._waiting[wire_token]  # what comes twice finds nothing
        self._report(waiting.token, _ALIVE)

    def _judge_error(self, packet: Packet, reporter: str) -> None:
        wire_token = token_of(packet.payload[: _KEY_BYTES + 4], self._key)
        if wire_token is None:
            # Routers need to quote no more than eight bytes behind the IP header: the masked token has to do.
            wire_token = packet.identifier << 16 | packet.sequence
            if not self._sockets.raw or not self._key.startswith(packet.payload[:_KEY_BYTES]):
                return
        waiting = self._waiting.get(wire_token)
        if waiting is None or packet.destination != waiting.packed or not self._numbers_match(packet, wire_token):
            return
        del self._waiting[wire_token]
        self._report(waiting.token, failure_of(self._family.version, packet.type, packet.code, reporter))

    def _numbers_match(self, packet: Packet, wire_token: int) -> bool:
        """Whether identifier and sequence are those sent. A datagram socket's identifier is the kernel's affair."""
        if packet.sequence != wire_token & 0xFFFF:
            return False
        return not self._sockets.raw or packet.identifier == wire_token >> 16

    def _read_errors(self, sock: socket.socket) -> bool:
        """Read the error queue; whether there may be more in it."""
        family = self._family
        for _ in range(BOUND):
            error = next_error(family, sock)
            if error is None:
                return False
            quoted, (type_, code), destination, reporter = error
            kind = family.kinds.get(type_)
            if not destination or kind is None or kind is Kind.REPLY:
                continue
            packed = socket.inet_pton(self._inet, destination.partition("%")[0])
            packet = parse_quoted(family, quoted, kind, type_, code, packed)
            if packet is not None:
                self._judge_error(packet, reporter)
        return True


@lru_cache(maxsize=256)
def failure_of(version: int, type_: int, code: int, reporter: str) -> ProbeResult:
    """The failure that an ICMP or ICMPv6 (`version`) error message of a host stands for, in icmplib's words."""
    reply = ICMPReply(  # type: ignore[no-untyped-call]  # icmplib has no annotations
        source=reporter, family=version, id=0, sequence=0, type=type_, code=code, bytes_received=0, time=0.0
    )
    try:
        reply.raise_for_status()  # type: ignore[no-untyped-call]  # same
    except ICMPError as error:
        text = str(error)
        return ProbeResult(Code.L4CON, f"{text[:1].lower()}{text[1:]}, says {reporter}")
    raise ValueError(f"type {type_} of ICMPv{version} is not an error message")


def _scope(sock: socket.socket, target: Target) -> int:
    scope = getattr(target.address, "scope_id", None)
    return scope_index(sock, scope) if scope else 0
