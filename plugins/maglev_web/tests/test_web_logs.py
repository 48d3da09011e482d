"""The log of `maglevd-frontend` as a process: JSON whoever writes it, and nothing waits for who reads it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from plugins.maglev_web.tests.installation import Process, free_port, until
from plugins.maglev_web.tests.test_web_process import fetch, frontend

HUNG_UP = """\
import os, signal, sys
sys.addaudithook(lambda what, who: what == "import" and who[0] == "click" and os.kill(os.getpid(), signal.SIGHUP))
from maglev_web.__main__ import main
main()
"""


def test_what_the_server_below_says_is_json_too(tmp_path: Path) -> None:
    port = free_port()
    log = tmp_path / "another.log"
    with frontend(tmp_path, "--server", "127.0.0.1:1", "--listen", f"127.0.0.1:{port}") as process:
        until(lambda: fetch(f"http://127.0.0.1:{port}/view/api/version"), "it serves")
        with socket.create_connection(("127.0.0.1", port), timeout=30) as stranger:
            stranger.sendall(b"\x1b[2J\x9b \x00 no request\r\n\r\n")
            while stranger.recv(4096):
                pass
        assert process.stop() == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {"maglev.web", "uvicorn.error"} <= {line["logger"] for line in lines}


def test_a_hangup_before_it_serves_does_not_end_it(tmp_path: Path) -> None:
    url = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-c", HUNG_UP, "--server", "127.0.0.1:1", "--listen", url]
    process = Process(command, {}, tmp_path / "hung-up.log")
    process.start()
    try:
        until(lambda: fetch(f"http://{url}/view/api/version"), "it serves")
    finally:
        with suppress(subprocess.TimeoutExpired):
            status = process.stop()
    assert status == 0


def test_a_log_that_nobody_reads_holds_up_neither_pages_nor_the_end() -> None:
    source, target = os.pipe()
    fcntl.fcntl(target, fcntl.F_SETPIPE_SZ, 4096)
    os.write(target, b"\n" * fcntl.fcntl(target, fcntl.F_GETPIPE_SZ))
    url = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "maglev_web", "--server", "127.0.0.1:1", "--listen", url, "--log-level", "debug"]
    process = subprocess.Popen(command, stderr=target)
    os.close(target)
    try:
        until(lambda: fetch(f"http://{url}/view/api/version"), "it serves")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait(30)
        os.close(source)
