"""No fault of the process (no descriptors, stopped, starved) counts as a failure. Each has a process of its own."""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PREAMBLE = """
import resource, sys
import anyio
from maglev.api import Code, Done, ProbeResult
from tests.probing.support import Scripted, Watch, job_of

CONNECTED = Done(ProbeResult(Code.L4OK))
PORT = int(sys.argv[1])

def say(*words):
    print(*words, flush=True)
"""


@contextmanager
def program(body: str, port: int) -> Iterator[subprocess.Popen[str]]:
    source = PREAMBLE + textwrap.dedent(body)
    process = subprocess.Popen(
        [sys.executable, "-c", source, str(port)], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, cwd=ROOT
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as sock:
        yield sock


def test_without_descriptors_probes_are_void_and_all_recovers(listener: socket.socket) -> None:
    body = """
    async def main():
        jobs = [job_of(Scripted(CONNECTED), PORT) for _ in range(50)]
        watch = Watch()
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        hoard = []
        for job in jobs:
            watch.prober.add(job, 0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch.prober.run)
            await watch.until(lambda: all(watch.of(job) for job in jobs))
            say(*set(watch.codes))
            try:
                while True:
                    hoard.append(open("/dev/null"))
            except OSError:
                pass
            watch.ended.clear()
            await watch.until(lambda: all(watch.of(job) for job in jobs))
            say(*{ended.result.code for ended in watch.ended[-50:]})
            for one in hoard:
                one.close()
            watch.ended.clear()
            await watch.until(lambda: all(watch.of(job) for job in jobs))
            say(*{ended.result.code for ended in watch.ended[-50:]})
            say(len(watch.warnings))
            tasks.cancel_scope.cancel()
        await watch.prober.aclose()

    anyio.run(main)
    """
    with program(body, listener.getsockname()[1]) as process:
        output = process.communicate(timeout=60)[0]
    assert output.split() == ["L4OK", "NOFILE", "L4OK", "0"]


def test_more_backends_than_descriptors_declare_nobody_dead(listener: socket.socket) -> None:
    body = """
    async def main():
        watch = Watch()
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        for _ in range(200):
            watch.prober.add(job_of(Scripted(b"", expired=lambda: ProbeResult(Code.L7OK)), PORT), 0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch.prober.run)
            await watch.until(lambda: len(watch.ended) >= 2000 and len(set(watch.codes)) > 1)
            say(*sorted(set(watch.codes)))
            tasks.cancel_scope.cancel()

    anyio.run(main)
    """
    with program(body, listener.getsockname()[1]) as process:
        output = process.communicate(timeout=60)[0]
    assert output.split() == ["L7OK", "NOFILE"]


def test_a_process_that_was_stopped_declares_nobody_dead(listener: socket.socket) -> None:
    """Twenty probes run when the process is stopped; half of their peers answer meanwhile, the others later."""
    body = """
    async def main():
        watch = Watch(10**15)
        jobs = [job_of(Scripted(b"x"), PORT, timeout_ns=1_000_000_000) for _ in range(20)]
        for job in jobs:
            watch.prober.add(job, 0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch.prober.run)
            await watch.until(lambda: sum(code is Code.L7OK for code in watch.codes) == 20)
            # Where it was stopped within a turn, the next one notices.
            await watch.until(lambda: any(lag_ns >= 10**9 for lag_ns, _ in watch.lags))
            say(*watch.codes)
            say(*[voided for _, voided in watch.lags])
            tasks.cancel_scope.cancel()
        await watch.prober.aclose()

    anyio.run(main)
    """
    with program(body, listener.getsockname()[1]) as process:
        listener.settimeout(30)
        first = [listener.accept()[0] for _ in range(20)]
        for connection in first:
            connection.recv(1)
        process.send_signal(signal.SIGSTOP)
        for connection in first[:10]:
            connection.sendall(b"ok\n")
        with suppress(subprocess.TimeoutExpired):
            process.wait(2)  # not for anything to happen, but for the deadlines to pass
        process.send_signal(signal.SIGCONT)
        for connection in first[10:]:
            connection.sendall(b"ok\n")
        assert process.stdout is not None
        codes = process.stdout.readline().split()
        voided = process.stdout.readline().split()
        for connection in first:
            connection.close()
    assert Counter(codes) == {"L7OK": 20}
    assert sum(map(int, voided)) == 0


@contextmanager
def cpu_quota(percent: float) -> Iterator[Path]:
    """Make a cgroup that may use so much of one core, in periods of 100 ms; yields the file that takes processes in."""
    name = f"maglev-test-{secrets.token_hex(4)}"
    for parent, write in (
        (Path("/sys/fs/cgroup/cpu"), {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": f"{percent * 1000:.0f}"}),
        (Path("/sys/fs/cgroup"), {"cpu.max": f"{percent * 1000:.0f} 100000"}),
    ):
        group = parent / name
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if all((group / file).exists() for file in write):
                for file, value in write.items():
                    (group / file).write_text(value)
                yield group / "cgroup.procs"
                return
        finally:
            group.rmdir()
    pytest.skip("no cgroup with a CPU quota can be made here (needs root, and the cpu controller of cgroup v1 or v2)")


def test_a_cpu_quota_hides_no_dead_and_kills_no_neighbour(listener: socket.socket) -> None:
    """One silent server among a hundred that are well, probed by a process that may have a fiftieth of a core."""
    body = """
    async def main():
        watch = Watch(300_000_000)
        well = [job_of(Scripted(CONNECTED), PORT, f"127.0.0.{i}", timeout_ns=200_000_000) for i in range(1, 101)]
        dead = job_of(Scripted(b"x"), PORT, timeout_ns=200_000_000)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch.prober.run)
            say("ready")
            await anyio.to_thread.run_sync(sys.stdin.readline)
            for job in [*well, dead]:
                watch.prober.add(job, 300_000_000)
            await watch.until(lambda: sum(result.code is Code.L7TOUT for result in watch.of(dead)) == 3)
            say(watch.prober.lag.stalled_ns // 10**6)
            say(*{code for code in watch.codes if code is not Code.LAG})
            say(*{result.code for result in watch.of(dead)})
            tasks.cancel_scope.cancel()
        await watch.prober.aclose()

    anyio.run(main)
    """
    with (
        socket.create_server(("", 0), backlog=4096) as everywhere,
        cpu_quota(2) as processes,
        program(body, everywhere.getsockname()[1]) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"  # at its own pace: importing may take all the CPU there is
        processes.write_text(str(process.pid))
        process.stdin.write("\n")
        process.stdin.flush()
        stalled_ms, codes, dead = (process.stdout.readline().split() for _ in range(3))
        with suppress(OSError):  # it may end at its own pace, where its group's parent takes processes
            (processes.parent.parent / "cgroup.procs").write_text(str(process.pid))
        assert process.wait(60) == 0
    assert int(stalled_ms[0]) > 1000  # or nothing was shown
    assert set(codes) == {"L4OK", "L7TOUT"}
    assert dead == ["L7TOUT"]
