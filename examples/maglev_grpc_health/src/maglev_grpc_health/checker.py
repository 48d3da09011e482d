"""The checker `grpc-health`: asks `grpc.health.v1.Health/Check` over HTTP/2 in clear text, and wants SERVING."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import attrs
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import H2Error

from maglev.api import Action, Checker, Code, Conversation, Done, ProbeResult, Send, StreamChecker, Target, option
from maglev.plugin import hookimpl

STATUSES = {b"": "UNKNOWN", b"\x08\x00": "UNKNOWN", b"\x08\x01": "SERVING", b"\x08\x02": "NOT_SERVING"}
"""HealthCheckResponse on the wire: field 1, a varint."""
MAX_BODY = 1024
_BROKEN = Done(ProbeResult(Code.L7RSP, "broke the protocol"))


@attrs.frozen
class GrpcHealthOptions:
    """The `params` of a `grpc-health` health check."""

    service: str = option("", help="The service to ask about; empty for the server as a whole")


class Check(Conversation):
    """One call on one connection."""

    __slots__ = ("_body", "_connection", "_headers", "_opening")

    def __init__(self, headers: list[tuple[str, str]], message: bytes) -> None:
        self._connection = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self._connection.initiate_connection()
        self._connection.send_headers(1, headers)
        self._connection.send_data(1, message, end_stream=True)
        self._opening = self._connection.data_to_send()
        self._body = bytearray()
        self._headers: dict[bytes, bytes] = {}

    def opening(self) -> bytes:
        return self._opening

    def receive(self, data: bytes) -> Action | None:
        try:
            events = self._connection.receive_data(data)
        except H2Error:
            return _BROKEN
        for event in events:
            if done := self._hear(event):
                return done
        answer = self._connection.data_to_send()  # the settings' and pings' acknowledgements
        return Send(answer) if answer else None

    def _hear(self, event: Event) -> Done | None:
        if isinstance(event, ResponseReceived | TrailersReceived):
            self._headers.update((bytes(name), bytes(value)) for name, value in event.headers)
        elif isinstance(event, DataReceived):
            self._body += event.data
            return _BROKEN if len(self._body) > MAX_BODY else None
        elif isinstance(event, StreamEnded):
            return Done(self._judge())
        elif isinstance(event, StreamReset | ConnectionTerminated):
            return _BROKEN
        return None

    def _judge(self) -> ProbeResult:
        http, grpc = self._headers.get(b":status"), self._headers.get(b"grpc-status")
        if http != b"200":
            return ProbeResult(Code.L7STS, "the HTTP status is not 200")
        if grpc != b"0":
            return ProbeResult(Code.L7STS, "the service is not known" if grpc == b"5" else "the call failed")
        status = STATUSES.get(bytes(self._body[5:]), "UNKNOWN")
        return ProbeResult(Code.L7OK if status == "SERVING" else Code.L7STS, status)


class GrpcHealthChecker(StreamChecker):
    """`type: grpc-health`."""

    name = "grpc-health"
    Options = GrpcHealthOptions

    def conversations(self, target: Target) -> Callable[[], Conversation]:
        host = f"[{target.address}]" if target.address.version == 6 else str(target.address)
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", f"{host}:{target.port}"),
            (":path", "/grpc.health.v1.Health/Check"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ]
        return partial(Check, headers, request(self.options.service))


def request(service: str) -> bytes:
    """A HealthCheckRequest behind gRPC's five bytes: not compressed, and its length."""
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    return b"\0" + len(message).to_bytes(4, "big") + message


def _varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + _varint(number >> 7)


@hookimpl
def maglev_checkers() -> Iterable[type[Checker]]:
    """Register the checkers of this distribution."""
    return [GrpcHealthChecker]
