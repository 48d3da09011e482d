"""Measures what the dry run of a reload costs beside the reload itself, and who waits meanwhile.

For each number of frontends (8 static servers each, memory dataplane): a reload and its dry run, of an unchanged file,
of one in which one frontend of a hundred has another weight, and of one in which all have. Printed: seconds of each
and their ratio, the longest turn of the event loop during the dry run, and the longest `show flow` meanwhile.

    .venv/bin/python benchmarks/bench_preview.py [frontends …]
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Self

import anyio

import maglev
from maglev.api import Actor, Flow, ReloadConfig, SyncDataplane

SERVERS = 8
ACTOR = Actor("benchmark", "library")
CLIENT = Flow(IPv4Address("198.51.100.7"), 40000)


def yaml(frontends: int, weight: Callable[[int], int]) -> str:
    """A file with so many frontends; `weight` gives that of each one's first server."""
    lines = [
        "maglev:",
        "  dataplane: memory",
        "  memory: {lb: {startup-min-delay: 0s, startup-max-delay: 0s}}",
        "  backends:",
    ]
    lines += [f"    b{n}: {{address: {IPv4Address('10.0.0.0') + n}}}" for n in range(frontends + SERVERS)]
    lines.append("  frontends:")
    for n in range(frontends):
        members = ", ".join(f"b{n + at}: {{weight: {weight(n) if at == 0 else 100}}}" for at in range(SERVERS))
        address = IPv4Address("172.16.0.0") + n
        lines.append(
            f"    f{n}: {{address: {address}, protocol: tcp, port: 80, pools: [{{name: p, backends: {{{members}}}}}]}}"
        )
    return "\n".join(lines) + "\n"


CHANGES: dict[str, Callable[[int], int]] = {
    "nothing": lambda _n: 100,
    "1 of 100": lambda n: 50 if n % 100 == 0 else 100,
    "all": lambda _n: 50,
}


class Turns:
    """Notes the longest turn of the event loop."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.longest_cpu_s = 0.0  # what other processes do to it left out
        self._handle: Any = asyncio.events.Handle
        self._run = self._handle._run  # noqa: SLF001 - the only place where a turn can be seen

    def __enter__(self) -> Self:
        run = self._run

        def timed(handle: asyncio.Handle) -> None:
            started_s, started_cpu_s = time.perf_counter(), time.thread_time()
            run(handle)
            self.longest_s = max(self.longest_s, time.perf_counter() - started_s)
            self.longest_cpu_s = max(self.longest_cpu_s, time.thread_time() - started_cpu_s)

        self._handle._run = timed  # noqa: SLF001 - likewise
        return self

    def __exit__(self, *_: object) -> None:
        self._handle._run = self._run  # noqa: SLF001 - likewise


async def timed(call: Callable[[], Awaitable[object]]) -> float:
    """How long a call takes, in seconds."""
    started_s = time.perf_counter()
    await call()
    return time.perf_counter() - started_s


async def flows(control: maglev.LiveControl, delays: list[float]) -> None:
    """Ask where a flow goes, again and again."""
    while True:
        delays.append(await timed(lambda: control.trace_flow("f0", CLIENT)))
        await anyio.sleep(0.05)


async def main(counts: list[int]) -> None:
    """Measure, and print a table."""
    print("frontends   changed  reload s dry run s  ratio  turn ms show flow ms")
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            file = anyio.Path(folder) / "maglev.yaml"
            await file.write_text(yaml(count, CHANGES["nothing"]))
            async with maglev.open_controller(Path(file)) as control:
                await anyio.sleep(1)  # connected by then
                await control.command(SyncDataplane(), ACTOR)
                await control.check_config()  # the process that reads files has started then
                gc.collect()
                gc.freeze()  # as the daemon does when it has started
                for name, weight in CHANGES.items():
                    await file.write_text(yaml(count, weight))
                    delays: list[float] = []
                    with Turns() as turns:
                        async with anyio.create_task_group() as tasks:
                            tasks.start_soon(flows, control, delays)
                            preview_s = await timed(lambda: control.preview(ReloadConfig()))
                            tasks.cancel_scope.cancel()
                    reload_s = await timed(lambda: control.command(ReloadConfig(), ACTOR))
                    print(
                        f"{count:9} {name:>9} {reload_s:9.2f} {preview_s:9.2f} {preview_s / reload_s:6.2f} "
                        f"{turns.longest_s * 1e3:8.1f} {max(delays) * 1e3:12.1f}",
                        flush=True,
                    )


if __name__ == "__main__":
    asyncio.run(main([int(argument) for argument in sys.argv[1:]] or [100, 1000, 5000]))
