"""Measures how long a reload that changes every `https` check holds up the event loop, and whether memory grows by it.

So many checks, each with a backend, all served by one TLS server of another process; every reload gives each check
another path, so that all are built anew; with every other one the client's certificate is replaced under its old name.
Printed for each reload: its seconds, the longest turn of the event loop by the clock and in CPU time of its thread (by
the clock it is longer where other processes want the CPU), the contexts of TLS, and the resident memory.

    .venv/bin/python benchmarks/bench_reload.py [checks]
"""

from __future__ import annotations

import asyncio
import gc
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

import anyio
import anyio.to_thread
import trustme

sys.path.insert(0, str(Path(__file__).parents[1]))

import maglev
from benchmarks.bench_preview import ACTOR, Turns
from maglev.api import ReloadConfig
from maglev.client_tls import contexts_in_use

RELOADS = 10
SERVER = """
import asyncio, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
async def answer(reader, writer):
    try:
        await reader.readuntil(b"\\r\\n\\r\\n")
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
        writer.close()
        await writer.wait_closed()
    except (OSError, EOFError):
        pass
async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


def yaml(checks: int, port: int, path: str, certificate: Path) -> str:
    """A file with so many checks; the system's authorities are trusted, and refuse the server at once."""
    lines = [
        "maglev:",
        "  dataplane: memory",
        "  memory: {lb: {startup-min-delay: 0s, startup-max-delay: 0s}}",
        "  healthchecks:",
    ]
    # Half of them trust the server: the others end with its certificate.
    lines += [
        f"    c{n}: {{type: https, port: {port}, interval: 10s, timeout: 5s, params: {{path: /{path}/{n}, "
        f"host: a.example, certificate: {certificate}, insecure-skip-verify: {str(n % 2 == 0).lower()}}}}}"
        for n in range(checks)
    ]
    lines.append("  backends:")
    lines += [f"    b{n}: {{address: 127.1.{n // 250}.{n % 250 + 1}, healthcheck: c{n}}}" for n in range(checks)]
    return "\n".join(lines) + "\n"


@contextmanager
def server(certificate: Path) -> Iterator[int]:
    """A TLS server in another process; gives its port, on all of 127.0.0.0/8."""
    source = SERVER.replace('"127.0.0.1"', '"0.0.0.0"')
    with Popen([sys.executable, "-c", source, str(certificate)], stdout=PIPE, stderr=DEVNULL, text=True) as process:
        try:
            yield int(process.stdout.readline() if process.stdout else "")
        finally:
            process.terminate()


def memory_mb() -> float:
    """Resident memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


async def main(checks: int) -> None:
    """Measure, and print a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority = trustme.CA()
        shown, client = folder / "server.pem", folder / "client.pem"
        authority.issue_cert("a.example").private_key_and_cert_chain_pem.write_to_path(str(shown))
        authority.issue_cert("client.example").private_key_and_cert_chain_pem.write_to_path(str(client))
        with server(shown) as port:
            await measure(checks, port, authority, folder / "maglev.yaml", client)


async def measure(checks: int, port: int, authority: trustme.CA, file: Path, client: Path) -> None:
    """Reload again and again."""
    await anyio.Path(file).write_text(yaml(checks, port, "start", client), encoding="ascii")
    async with maglev.open_controller(file) as control:
        await anyio.sleep(1)
        await control.check_config()  # the process that reads files has started then
        gc.collect()
        gc.freeze()  # as the daemon does when it has started
        print(f"{ssl.OPENSSL_VERSION}; {checks} checks")
        print(f"reload  seconds  turn ms  its CPU ms  contexts  memory MB ({memory_mb():.1f} before)")
        for count in range(1, RELOADS + 1):
            if count % 2:
                pem = authority.issue_cert("client.example").private_key_and_cert_chain_pem
                await anyio.to_thread.run_sync(pem.write_to_path, str(client))
            await anyio.Path(file).write_text(yaml(checks, port, str(count), client), encoding="ascii")
            with Turns() as turns:
                started_s = time.perf_counter()
                await control.command(ReloadConfig(), ACTOR)
                took_s = time.perf_counter() - started_s
                await anyio.sleep(2)  # the probes that go on, and what is closed
            print(
                f"{count:6} {took_s:8.2f} {turns.longest_s * 1e3:8.1f} "
                f"{turns.longest_cpu_s * 1e3:11.1f} {contexts_in_use():9} {memory_mb():10.1f}",
                flush=True,
            )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 500))
