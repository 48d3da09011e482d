"""`maglevd-frontend` as a process, over several daemons, over TLS, and beside `maglevd demo`."""

from __future__ import annotations

import json
import re
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from plugins.maglev_web.tests.installation import Installation, Process, free_port, installation, until

FRONTENDS = """\
    web:
      address: 192.0.2.80
      protocol: tcp
      port: 80
      pools: [{name: primary, backends: {alpha: {}}}]
"""


@contextmanager
def frontend(folder: Path, *arguments: str) -> Iterator[Process]:
    process = Process([sys.executable, "-m", "maglev_web", *arguments], {}, folder / "another.log")
    process.start()
    try:
        yield process
    finally:
        with suppress(subprocess.TimeoutExpired):
            process.stop()


def fetch(url: str, context: ssl.SSLContext | None = None) -> Any:
    """JSON from there; `None` while nobody answers."""
    with suppress(OSError), urllib.request.urlopen(url, timeout=5, context=context) as answer:
        return json.load(answer)
    return None


def daemons(url: str) -> dict[str, Any]:
    return {one["name"]: one["status"] for one in fetch(f"{url}/view/api/maglevds") or ()}


def test_it_ends_on_sigterm_and_lets_sighup_pass(tmp_path: Path) -> None:
    url = f"127.0.0.1:{free_port()}"
    with frontend(tmp_path, "-server", "127.0.0.1:1", "-listen", url) as process:
        until(lambda: fetch(f"http://{url}/view/api/version"), "it serves")
        assert process.running is not None
        process.running.send_signal(signal.SIGHUP)
        assert fetch(f"http://{url}/view/api/version")
        assert process.stop() == 0


def test_it_serves_https(tmp_path: Path) -> None:
    ca = trustme.CA()
    certificate = ca.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "tls.pem"))
    context = ssl.create_default_context()
    ca.configure_trust(context)
    url = f"127.0.0.1:{free_port()}"
    pem = str(tmp_path / "tls.pem")
    with frontend(tmp_path, "--server", "127.0.0.1:1", "--listen", url, "--tls-cert", pem, "--tls-key", pem):
        until(lambda: fetch(f"https://{url}/view/api/version", context), "it serves")


@pytest.mark.parametrize("arguments", [["--listen", "192.0.2.1:1"], ["--tls-cert", "/none", "--tls-key", "/none"]])
def test_what_cannot_be_had_is_said_in_a_line(tmp_path: Path, arguments: Sequence[str]) -> None:
    command = [sys.executable, "-m", "maglev_web", *arguments]
    if "--listen" not in arguments:
        command += ["--listen", "127.0.0.1:0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "maglevd-frontend: " in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_key_with_a_password_is_refused_and_no_password_asked_for(tmp_path: Path) -> None:
    certificate = trustme.CA().issue_cert("127.0.0.1")
    plain = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    cert, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    cert.write_bytes(certificate.cert_chain_pems[0].bytes())
    key.write_bytes(
        plain.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    command = [sys.executable, "-m", "maglev_web", "--listen", "127.0.0.1:0", "--tls-cert", str(cert)]
    command += ["--tls-key", str(key)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "the key needs a password" in done.stderr.splitlines()[-1]


def test_daemons_are_told_apart_when_one_is_away_one_hangs_and_one_was_restarted(tmp_path: Path) -> None:
    with installation(tmp_path, {"alpha": "127.0.3.11"}, FRONTENDS) as installed:
        second_grpc, port = f"127.0.0.1:{free_port()}", free_port()
        command = [second_grpc if part == installed.grpc else part for part in installed.daemon.command]
        command[command.index("--state-dir") + 1] = str(tmp_path / "second")  # two daemons share none
        second = Process(command, installed.daemon.environment, tmp_path / "second.log")
        second.start()
        away = f"127.0.0.1:{free_port()}"
        servers = f"{installed.grpc},{second_grpc},{away}"
        url = f"http://127.0.0.1:{port}"
        try:
            with frontend(tmp_path, "--server", servers, "--listen", f"127.0.0.1:{port}"):
                until(lambda: daemons(url).get(second_grpc, {}).get("answering"), "both daemons are there")
                until(lambda: daemons(url)[installed.grpc]["answering"], "both daemons are there")
                assert not daemons(url)[away]["connected"]
                hangs_and_restarts(installed, second, second_grpc, url)
        finally:
            second.stop()


def hangs_and_restarts(installed: Installation, second: Process, second_grpc: str, url: str) -> None:
    assert second.running is not None
    second.running.send_signal(signal.SIGSTOP)
    try:
        until(lambda: not daemons(url)[second_grpc]["answering"], "the one that hangs is shown as not answering")
        assert daemons(url)[installed.grpc]["answering"]
    finally:
        second.running.send_signal(signal.SIGCONT)
    until(lambda: daemons(url)[second_grpc]["answering"], "it answers again")
    second.stop()
    until(lambda: not daemons(url)[second_grpc]["connected"], "the one that ended is shown as gone")
    second.start()
    until(lambda: daemons(url)[second_grpc]["restarts"] == 1, "the restart is shown")
    assert daemons(url)[installed.grpc]["restarts"] == 0


def test_the_demonstration_serves_a_dashboard_and_prints_its_address(tmp_path: Path) -> None:
    addresses = [f"--grpc-addr=127.0.0.1:{free_port()}", f"--metrics-addr=127.0.0.1:{free_port()}"]
    log = tmp_path / "demo.log"
    demo = Process([sys.executable, "-m", "maglev.cli", *addresses, "demo"], {}, log)
    demo.start()
    try:
        until(lambda: re.search(r"Dashboard: (http://\S+)/view/", log.read_text()), "the address is printed")
        found = re.search(r"Dashboard: (http://\S+)/view/", log.read_text())
        assert found is not None
        url = found[1]
        until(lambda: any(one["connected"] for one in daemons(url).values()), "the dashboard shows the demonstration")
        (one,) = (fetch(f"{url}/view/api/state") or {})["maglevds"]
        assert one["state"]["order"] == ["web", "api"]
    finally:
        demo.stop()
    assert fetch(f"{url}/view/api/version") is None
