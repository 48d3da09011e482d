"""HAProxy, twice: as the servers that are probed, cheap and the same for all, and as the rival that probes them."""

from __future__ import annotations

import csv
import io
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

from benchmarks.probes.cases import Case

FIRST_TARGET = IPv4Address("127.1.0.1")
SERVER_NAME = "bench.example"
_PATIENCE_S = 20.0

_GLOBAL = """global
    {threads}
    stats socket {stats} level admin
    tune.ssl.cachesize 0
"""
# Targets are all addresses of 127/8. The port of full handshakes hands out no session that could be resumed.
_SERVERS = """defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 10s
frontend plain
    bind 0.0.0.0:{plain} backlog 16384
    http-request return status 200 content-type text/plain string ok
frontend secure
    bind 0.0.0.0:{full} backlog 16384 ssl crt {certificate} no-tls-tickets
    bind 0.0.0.0:{resumed} backlog 16384 ssl crt {certificate}
    http-request return status 200 content-type text/plain string ok
"""
_RIVAL = """defaults
    mode {mode}
    timeout client 10s
    timeout server 10s
    timeout connect 1s
    timeout check 1s
backend bench
    default-server inter {interval_ms} rise 2 fall 3
    {check}
"""
# What our own checker says, word for word.
_ASK = (
    "option httpchk\n    http-check send meth GET uri / ver HTTP/1.1 hdr Host {host} hdr User-Agent maglevd"
    " hdr Accept */* hdr Connection close\n    http-check expect status 200-299"
)


class HAProxy:
    """One HAProxy with a configuration of its own.

    Args:
        folder: Where its files are.
        name: What they are called.
        text: Its configuration, without the `global` section.
        prefix: What to run it with (`ip netns exec …`).
        threads: How many; 0: as many as there are cores, which is how it is delivered.
    """

    def __init__(self, folder: Path, name: str, text: str, prefix: tuple[str, ...] = (), threads: int = 1) -> None:
        self._stats = folder / f"{name}.sock"
        file = folder / f"{name}.cfg"
        nbthread = f"nbthread {threads}" if threads else ""
        file.write_text(_GLOBAL.format(stats=self._stats, threads=nbthread) + text)
        self._process = subprocess.Popen(
            [*prefix, "haproxy", "-db", "-q", "-f", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        self.pid = self._process.pid
        self._wait()

    def ask(self, question: str) -> str:
        """Ask over its socket."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(_PATIENCE_S)
            sock.connect(str(self._stats))
            sock.sendall(question.encode() + b"\n")
            answer = b""
            while data := sock.recv(65_536):
                answer += data
        return answer.decode()

    def connections(self) -> int:
        """How many connections it has accepted so far."""
        lines = dict(line.split(": ", 1) for line in self.ask("show info").splitlines() if ": " in line)
        return int(lines["CumConns"])

    def down(self) -> int:
        """How many of the servers that it checks are down."""
        rows = csv.DictReader(io.StringIO(self.ask("show stat -1 4 -1").removeprefix("# ")))
        return sum(row["status"].startswith("DOWN") for row in rows)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(_PATIENCE_S)

    def _wait(self) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            try:
                self.ask("show info")
            except (FileNotFoundError, ConnectionRefusedError):
                if self._process.poll() is not None:
                    break
                time.sleep(0.02)
            else:
                return
        self._process.kill()
        said = self._process.stderr.read().decode() if self._process.stderr else ""
        raise RuntimeError(f"HAProxy did not start: {said}")


class Servers:
    """All that is probed: one HAProxy on all of 127/8, with a port for each kind.

    Args:
        folder: Where its files are, the certificate `server.pem` among them.
        name: What they are called.
        prefix: What to run it with.
    """

    def __init__(self, folder: Path, name: str, prefix: tuple[str, ...] = ()) -> None:
        self.plain, self.full, self.resumed = _free_ports(3)
        text = _SERVERS.format(
            plain=self.plain, full=self.full, resumed=self.resumed, certificate=folder / "server.pem"
        )
        haproxy = HAProxy(folder, name, text, prefix)
        self.connections = haproxy.connections
        self.stop = haproxy.stop

    def port(self, case: Case) -> int:
        """Where a case's targets listen."""
        if case.kind == "https":
            return self.resumed if case.resume else self.full
        return self.plain


def rival_config(case: Case, port: int, folder: Path) -> str:
    """Write the configuration with which HAProxy makes the checks of a case.

    Args:
        case: The case.
        port: Where the targets listen.
        folder: Where the authority's certificate `ca.pem` is.
    """
    tls = (
        f" check-ssl verify required ca-file {folder / 'ca.pem'} check-sni {SERVER_NAME} verifyhost {SERVER_NAME}"
        + ("" if case.resume else " no-ssl-reuse")
        if case.kind == "https"
        else ""
    )
    host = SERVER_NAME if case.kind == "https" else "127.1.0.1"
    head = _RIVAL.format(
        mode="tcp" if case.kind == "tcp" else "http",
        interval_ms=round(case.interval_s * 1000),
        check="" if case.kind == "tcp" else _ASK.format(host=host),
    )
    servers = (f"    server s{index} {FIRST_TARGET + index}:{port} check{tls}\n" for index in range(case.targets))
    return head + "".join(servers)


@contextmanager
def rival(case: Case, port: int, folder: Path, threads: int) -> Iterator[HAProxy]:
    """HAProxy making the checks of a case, while the context lasts."""
    haproxy = HAProxy(folder, "rival", rival_config(case, port, folder), threads=threads)
    try:
        yield haproxy
    finally:
        haproxy.stop()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(sock.getsockname()[1]) for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports
