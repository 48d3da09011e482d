"""The checker `grpc-health`: the conformance suite, and a real gRPC server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent import futures

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from h2.config import H2Configuration
from h2.connection import H2Connection

from maglev.api import Code, StreamChecker, Target
from maglev.testing import probe_once, run_conversation
from maglev.testing.checker_suite import StreamCheckerSuite
from maglev_grpc_health.checker import GrpcHealthChecker, GrpcHealthOptions


def answer(status: bytes, grpc_status: str = "0", http: str = "200") -> bytes:
    """What a server sends in answer to the first stream."""
    server = H2Connection(H2Configuration(client_side=False))
    server.initiate_connection()
    server.receive_data(run_conversation(TestGrpcHealth().start()()).all_sent)
    server.send_headers(1, [(":status", http), ("content-type", "application/grpc")])
    server.send_data(1, b"\0" + len(status).to_bytes(4, "big") + status)
    server.send_headers(1, [("grpc-status", grpc_status)], end_stream=True)
    return bytes(server.data_to_send())


class TestGrpcHealth(StreamCheckerSuite):
    def make(self) -> StreamChecker:
        return GrpcHealthChecker(GrpcHealthOptions())

    def passing(self) -> Sequence[bytes]:
        return [answer(b"\x08\x01")]

    def failing(self) -> Sequence[bytes]:
        return [
            b"",
            b"HTTP/1.1 200 OK\r\n\r\n",
            answer(b""),
            answer(b"\x08\x02"),
            answer(b"\x08\x01", grpc_status="5"),
            answer(b"\x08\x01", http="503"),
            answer(b"\x08\x01" * 1000),
        ]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[health.HealthServicer, int]]:
    """A gRPC server with nothing but the health service."""
    servicer = health.HealthServicer()
    running = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, running)
    port = running.add_insecure_port("127.0.0.1:0")
    running.start()
    yield servicer, port
    running.stop(None).wait()


@pytest.mark.parametrize(
    "status,code,detail",
    [("SERVING", Code.L7OK, "SERVING"), ("NOT_SERVING", Code.L7STS, "NOT_SERVING"), ("UNKNOWN", Code.L7STS, "UNKNOWN")],
)
@pytest.mark.parametrize("service", ["", "my.package.Service", "x" * 300])
def test_a_real_server_is_asked(
    server: tuple[health.HealthServicer, int],
    loopback_target: Callable[[int], Target],
    service: str,
    status: str,
    code: Code,
    detail: str,
) -> None:
    servicer, port = server
    servicer.set(service, health_pb2.HealthCheckResponse.ServingStatus.Value(status))
    result = probe_once(GrpcHealthChecker(GrpcHealthOptions(service=service)), loopback_target(port))
    assert (result.code, result.detail) == (code, detail)


def test_a_service_that_the_server_does_not_know(
    server: tuple[health.HealthServicer, int], loopback_target: Callable[[int], Target]
) -> None:
    result = probe_once(GrpcHealthChecker(GrpcHealthOptions(service="none.such")), loopback_target(server[1]))
    assert (result.code, result.detail) == (Code.L7STS, "the service is not known")
