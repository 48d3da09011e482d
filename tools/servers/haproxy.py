"""Puts all behaviours before HAProxy's checks, with the same requests, timeout and patterns as ours."""

from __future__ import annotations

import csv
import io
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import attrs

from tools.servers.behaviour import Behaviour

_INTERVAL_S = 0.2
_CHECKS = 4
"""How many checks a server is given: one more than make a server go down."""
_PATIENCE_S = 20.0
_GLOBAL = """global
    stats socket {stats} level admin
defaults
    mode http
    timeout connect {timeout_ms}
    timeout check {timeout_ms}
    timeout client 10s
    timeout server 10s
    default-server inter {interval_ms} rise 2 fall 3
"""
_BACKEND = """backend b{index}
    option httpchk
    http-check send meth GET uri / ver HTTP/1.1 hdr Host 127.0.0.1:{port} hdr User-Agent maglevd hdr Accept */* \
hdr Connection close
    http-check expect status 200-299
{pattern}    server s 127.0.0.1:{port} check{tls}
"""


@attrs.frozen
class Opinion:
    """What HAProxy makes of a server.

    Args:
        up: Whether it is up after all checks.
        code: How the last check ended.
    """

    up: bool
    code: str


def version() -> str:
    """HAProxy's version; empty without HAProxy."""
    command = shutil.which("haproxy")
    if command is None:
        return ""
    said = subprocess.run([command, "-v"], check=True, capture_output=True, text=True).stdout
    return said.split()[2].partition("-")[0]


def judge(behaviours: Sequence[Behaviour], ports: Sequence[int], timeout_s: float) -> list[Opinion]:
    """Let HAProxy check all servers, all at once.

    Args:
        behaviours: What they do.
        ports: Where each listens, on loopback.
        timeout_s: How long a check may take, in seconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        stats = Path(folder) / "stats.sock"
        file = Path(folder) / "haproxy.cfg"
        file.write_text(_configuration(behaviours, ports, timeout_s, stats))
        with subprocess.Popen(["haproxy", "-db", "-q", "-f", str(file)], stdout=subprocess.DEVNULL) as process:
            try:
                _wait_for(stats)
                time.sleep(_CHECKS * (timeout_s + _INTERVAL_S))
                rows = {row["pxname"]: row for row in _rows(stats)}
            finally:
                process.terminate()
    return [_opinion(rows[f"b{index}"]) for index in range(len(behaviours))]


def _configuration(behaviours: Sequence[Behaviour], ports: Sequence[int], timeout_s: float, stats: Path) -> str:
    text = _GLOBAL.format(stats=stats, timeout_ms=round(timeout_s * 1000), interval_ms=round(_INTERVAL_S * 1000))
    for index, (behaviour, port) in enumerate(zip(behaviours, ports, strict=True)):
        pattern = f"    http-check expect rstring {_quoted(behaviour.pattern)}\n" if behaviour.pattern else ""
        tls = " check-ssl verify none" if behaviour.check_tls else ""
        text += _BACKEND.format(index=index, port=port, pattern=pattern, tls=tls)
    return text


def _quoted(pattern: str) -> str:
    return "'" + pattern.replace("'", "'\\''") + "'"


def _rows(stats: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(_ask(stats, "show stat -1 4 -1").removeprefix("# "))))


def _opinion(row: dict[str, str]) -> Opinion:
    return Opinion(row["status"].startswith("UP"), row["check_status"].removeprefix("* "))


def _wait_for(stats: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            _ask(stats, "show info")
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _ask(stats: Path, question: str) -> str:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(_PATIENCE_S)
        sock.connect(str(stats))
        sock.sendall(question.encode() + b"\n")
        answer = b""
        while data := sock.recv(65_536):
            answer += data
    return answer.decode()
