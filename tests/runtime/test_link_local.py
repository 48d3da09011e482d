"""Link-local backends, from the configuration to the table: every checker reaches them, from a link-local source."""

from __future__ import annotations

import http.server
import secrets
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme

import maglev
import maglev_http.httpx_checkers  # noqa: F401 - built on first use, which here would be an import in the event loop
from maglev.api import BackendState
from tests.probing.test_netns import ip, permitted

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(not permitted(), reason="no network namespace can be made here (needs CAP_SYS_ADMIN and ip)"),
]
NEAR, SOURCE = "fe80::a", "fe80::b"


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: Any) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6  # type: ignore[mutable-override]  # as the library itself does
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Probes close as they like."""


@contextmanager
def serving(context: ssl.SSLContext | None) -> Iterator[int]:
    with Server(("::", 0), Answer) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def netns() -> Iterator[str]:
    """A namespace whose `eth0` sees us as `NEAR`, and is `SOURCE` itself."""
    name, veth = f"maglev-test-{secrets.token_hex(4)}", f"mg{secrets.token_hex(4)}"
    ip("netns", "add", name)
    ip("link", "add", veth, "type", "veth", "peer", "name", "eth0", "netns", name)
    ip("addr", "add", f"{NEAR}/64", "dev", veth, "nodad")
    ip("link", "set", veth, "up")
    ip("-n", name, "addr", "add", f"{SOURCE}/64", "dev", "eth0", "nodad")
    ip("-n", name, "link", "set", "eth0", "up")
    yield name
    ip("netns", "del", name)


def configuration(netns: str, ports: dict[str, int], ca_file: Path) -> maglev.Config:
    checks: dict[str, tuple[str, dict[str, Any]]] = {
        "tcp": ("tcp", {"send": r"GET / HTTP/1.0\r\n\r\n", "expect": "ok$"}),
        "tcp-ssl": ("tcp", {"ssl": True, "ca-file": str(ca_file)}),
        "lean": ("http", {"response-regexp": "ok"}),
        "httpx": ("http", {"engine": "httpx"}),
        "lean-tls": ("https", {"ca-file": str(ca_file)}),
        "httpx-tls": ("https", {"engine": "httpx", "ca-file": str(ca_file)}),
        "icmp": ("icmp", {}),
    }
    return maglev.Config(
        healthchecker=maglev.HealthCheckerConfig(netns=netns),
        healthchecks={
            name: maglev.HealthCheckConfig(
                type_,
                None if type_ == "icmp" else ports["tls" if "ca-file" in params else "clear"],
                params,
                interval="200ms",
                timeout=20,
                probe_ipv6_src=f"{SOURCE}%eth0",
            )
            for name, (type_, params) in checks.items()
        },
        backends={name: maglev.BackendConfig(f"{NEAR}%eth0", name) for name in checks},
        frontends={
            name: maglev.FrontendConfig(f"2001:db8::{number}", [maglev.PoolConfig("p", {name: maglev.MemberConfig()})])
            for number, name in enumerate(checks, 1)
        },
    )


@pytest.fixture
def config(netns: str, tmp_path: Path) -> Iterator[maglev.Config]:
    authority, ca_file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NEAR).configure_cert(context)
    with serving(None) as clear, serving(context) as tls:
        yield configuration(netns, {"clear": clear, "tls": tls}, ca_file)


async def test_every_checker_reaches_a_link_local_backend(config: maglev.Config) -> None:
    wanted = maglev.EventFilter(frozenset({maglev.EventKind.BACKEND}))
    async with maglev.open_controller(config) as control, control.subscribe(wanted) as subscription:
        waiting = set(config.backends)
        with anyio.fail_after(30):
            async for delivery in subscription.events:
                event = delivery.event
                assert isinstance(event, maglev.BackendEvent)
                assert event.transition.to_state is BackendState.UP, event
                waiting.discard(event.backend)
                if not waiting:
                    break
        assert {str(control.backend(name).address) for name in config.backends} == {f"{NEAR}%eth0"}
