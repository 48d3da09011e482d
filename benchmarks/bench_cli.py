"""Measures one command of `maglevc`, its start included, against a maglevd on this machine.

Starts a daemon with a hundred backends on the memory dataplane, then runs `maglevc` again and again, each kind of
command in turn, and prints wall time and CPU time in milliseconds: the best and the median. A bare interpreter and the
import of the client stand beside them, to tell what is ours. The aim is less than 300 ms.

    python benchmarks/bench_cli.py
"""

from __future__ import annotations

import os
import pty
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

AIM_MS = 300
RUNS = 9
BACKENDS = 100
MAGLEVC = (sys.executable, "-m", "maglev_cli")

CASES: dict[str, tuple[str, ...]] = {
    "bare interpreter": (sys.executable, "-c", "pass"),
    "import of the client": (sys.executable, "-c", "import maglev_grpc.client"),
    "wrong command": (*MAGLEVC, "show", "foo"),
    "show version": (*MAGLEVC, "show", "version"),
    "show backends": (*MAGLEVC, "show", "backends"),
    "show backends, JSON": (*MAGLEVC, "--output", "json", "show", "backends"),
    "show frontend": (*MAGLEVC, "show", "frontend", "site"),
    "set … dry-run": (*MAGLEVC, "set", "backend", "b-1", "disable", "dry-run"),
    "completion of a name": (
        "env",
        "_MAGLEVC_COMPLETE=fish_complete",
        "COMP_WORDS=maglevc show backend b-1",
        "COMP_CWORD=b-1",
        *MAGLEVC,
    ),
}
ON_A_TERMINAL = "show backends, terminal"


def configuration() -> str:
    """One frontend with many static backends."""
    backends = "".join(f"    b-{index}: {{address: 10.1.0.{index + 1}}}\n" for index in range(BACKENDS))
    members = ", ".join(f"b-{index}: {{}}" for index in range(BACKENDS))
    return (
        "maglev:\n  dataplane: memory\n  backends:\n" + backends + "  frontends:\n    site: {address: 10.9.0.1, "
        "protocol: tcp, port: 80, pools: [{name: primary, backends: {" + members + "}}]}\n"
    )


@contextmanager
def daemon() -> Iterator[str]:
    """Run a daemon; gives where it is."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "maglev.yaml"
        file.write_text(configuration())
        arguments = ["--config", str(file), "--state-dir", "", "--grpc-addr", f"127.0.0.1:{port}"]
        process = subprocess.Popen(
            [sys.executable, "-m", "maglev.cli", *arguments],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "MAGLEV_LOAD_PLUGINS": "grpc"},
        )
        assert process.stderr is not None  # noqa: S101  (asked for above)
        for line in process.stderr:
            if '"ready"' in line:
                break
        try:
            yield f"localhost:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()


def once(command: Sequence[str], server: str, *, terminal: bool = False) -> tuple[float, float]:
    """Run a command; returns wall and CPU time in milliseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    master, slave = pty.openpty() if terminal else (-1, subprocess.DEVNULL)
    started_ns = time.perf_counter_ns()
    environment = {**os.environ, "MAGLEV_SERVER": server, "TERM": "xterm", "COLUMNS": "200"}
    subprocess.run(command, stdout=slave, stderr=subprocess.DEVNULL, check=False, env=environment)
    wall_ms = (time.perf_counter_ns() - started_ns) / 1e6
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if terminal:
        os.close(master)
        os.close(slave)
    return wall_ms, (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def main() -> None:
    """Measure and print."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in (*CASES, ON_A_TERMINAL)}
    with daemon() as server:
        for _ in range(RUNS):  # the cases take turns, so that all meet the same machine
            for name, command in CASES.items():
                times[name].append(once(command, server))
            times[ON_A_TERMINAL].append(once(CASES["show backends"], server, terminal=True))
    print(f"{'':26} {'best':>8} {'median':>8} {'CPU':>8}   milliseconds, {RUNS} runs, {BACKENDS} backends")
    for name, found in times.items():
        walls = [wall for wall, _ in found]
        late = "" if min(walls) < AIM_MS else f"   above the aim of {AIM_MS}"
        cpu = min(cpu for _, cpu in found)
        print(f"{name:26} {min(walls):8.0f} {statistics.median(walls):8.0f} {cpu:8.0f}{late}")


if __name__ == "__main__":
    main()
