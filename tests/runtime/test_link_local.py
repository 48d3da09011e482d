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
import yaml

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


def site(netns: str, clear: int, tls: int, ca_file: Path) -> dict[str, Any]:
    ca = {"ca-file": str(ca_file)}
    checks: dict[str, dict[str, Any]] = {
        "tcp": {"type": "tcp", "port": clear, "params": {"send": r"GET / HTTP/1.0\r\n\r\n", "expect": "ok$"}},
        "tcp-ssl": {"type": "tcp", "port": tls, "params": {"ssl": True, **ca}},
        "lean": {"type": "http", "port": clear, "params": {"response-regexp": "ok"}},
        "httpx": {"type": "http", "port": clear, "params": {"engine": "httpx"}},
        "lean-tls": {"type": "https", "port": tls, "params": ca},
        "httpx-tls": {"type": "https", "port": tls, "params": {"engine": "httpx", **ca}},
        "icmp": {"type": "icmp"},
    }
    cadence = {"interval": "200ms", "timeout": "20s", "probe-ipv6-src": f"{SOURCE}%eth0"}
    return {
        "healthchecker": {"netns": netns},
        "healthchecks": {name: check | cadence for name, check in checks.items()},
        "backends": {name: {"address": f"{NEAR}%eth0", "healthcheck": name} for name in checks},
        "frontends": {
            name: {"address": f"2001:db8::{number}", "pools": [{"name": "p", "backends": {name: {}}}]}
            for number, name in enumerate(checks, 1)
        },
    }


@pytest.fixture
def config_file(netns: str, tmp_path: Path) -> Iterator[Path]:
    authority, ca_file, path = trustme.CA(), tmp_path / "ca.pem", tmp_path / "maglev.yaml"
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NEAR).configure_cert(context)
    with serving(None) as clear, serving(context) as tls:
        path.write_text(yaml.safe_dump({"maglev": site(netns, clear, tls, ca_file)}))
        yield path


async def test_every_checker_reaches_a_link_local_backend(config_file: Path) -> None:
    wanted = maglev.EventFilter(frozenset({maglev.EventKind.BACKEND}))
    async with maglev.open_controller(config_file) as control, control.subscribe(wanted) as subscription:
        waiting = set(control.snapshot().backends)
        assert len(waiting) == 7
        with anyio.fail_after(30):
            async for delivery in subscription.events:
                event = delivery.event
                assert isinstance(event, maglev.BackendEvent)
                assert event.transition.to_state is BackendState.UP, event
                waiting.discard(event.backend)
                if not waiting:
                    break
        assert {str(backend.address) for backend in control.snapshot().backends.values()} == {f"{NEAR}%eth0"}
