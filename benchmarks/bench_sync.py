"""Measures the cost of keeping a VPP in sync: 1 000 VIPs of 8 servers each.

- A full sync from empty, in operations a second, against vpp_papi's blocking client doing the same; the two take turns.
- A sync that finds everything as it should be: read and compare.
- The longest turn of the event loop in either.
- From the result of a probe that takes a backend down to the last write of its frontends.
- From the socket of a restarted VPP to the end of its filling.

Runs against a real VPP if MAGLEV_TEST_VPP names its program and MAGLEV_TEST_VPP_PLUGINS its folder of plugins, else
against the stand-in of the tests, which is slower than VPP at everything but new-flow tables: it has none.

    python benchmarks/bench_sync.py [VIPS]

Ratios travel from machine to machine, the other figures do not. Written to `build/bench-sync.json` too.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, ClassVar, Self

import anyio
import anyio.to_thread
from anyio.lowlevel import checkpoint
from vpp_papi import VPPApiClient

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from maglev.api import (  # noqa: E402  (the stand-in is found from the top of the repository)
    Actor,
    AsyncChecker,
    Code,
    EventFilter,
    EventKind,
    Operation,
    OperationResult,
    ProbeResult,
    Session,
    SetWeight,
    SyncDataplane,
    SyncEvent,
    Target,
)
from maglev.config import (  # noqa: E402
    BackendConfig,
    Config,
    FrontendConfig,
    HealthCheckConfig,
    LbConfig,
    MemberConfig,
    PluginSet,
    PoolConfig,
)
from maglev.runtime import LiveControl, Settings, open_controller  # noqa: E402
from maglev_vpp import VppDataplane, VppOptions  # noqa: E402
from plugins.maglev_vpp.tests.standin.harness import Process, RealVpp, Standin  # noqa: E402

SERVERS = 8
ROUNDS = 3
TRANSITIONS = 200
TABLE = 16384
FIRST_VIP, FIRST_SERVER = IPv4Address("10.80.0.0"), IPv4Address("10.51.0.0")
ACTOR = Actor("benchmark", "library")
BINARY, PLUGINS = os.environ.get("MAGLEV_TEST_VPP", ""), os.environ.get("MAGLEV_TEST_VPP_PLUGINS", "")


class Scripted(AsyncChecker):
    """Passes, but for the backends in a set; notes when a failure was told."""

    name: ClassVar[str] = "scripted"
    needs_port: ClassVar[bool] = False
    down: ClassVar[set[str]] = set()
    told_s: ClassVar[dict[str, float]] = {}

    async def probe(self, target: Target) -> ProbeResult:
        """Answer at once."""
        if target.backend not in self.down:
            return ProbeResult(Code.L7OK, "")
        self.told_s.setdefault(target.backend, time.perf_counter())
        return ProbeResult(Code.L4CON, "")


class Watched:
    """A session that notes when each server was last written to."""

    def __init__(self, session: Session, written_s: dict[str, float]) -> None:
        self.info = session.info
        self.read, self.counters, self.lost = session.read, session.counters, session.lost
        self._session = session
        self._written_s = written_s

    async def apply(self, phase: Sequence[Operation]) -> Sequence[OperationResult]:
        """Apply, and note."""
        results = await self._session.apply(phase)
        now = time.perf_counter()
        for operation in phase:
            if isinstance(operation, SetWeight):
                self._written_s[str(operation.server)] = now
        return results


class WatchedDataplane(VppDataplane):
    """VPP, with sessions that note when they write."""

    def __init__(self, options: VppOptions) -> None:
        super().__init__(options)
        self.written_s: dict[str, float] = {}

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Session]:
        """Connect."""
        async with super().connect() as session:
            yield Watched(session, self.written_s)


PLUGIN_SET = PluginSet(checkers={"scripted": Scripted}, dataplanes={"vpp": WatchedDataplane})


def configuration(vips: int, check: str | None = "alive") -> Config:
    """As many backends as VIPs, each in eight of them; without a check they are up from the start."""
    pools = [[f"b{(vip + server) % vips}" for server in range(SERVERS)] for vip in range(vips)]
    lb: dict[str, Any] = {"ipv4_src_address": "192.0.2.1", "ipv6_src_address": "2001:db8::1", "sync_interval": 3600}
    frontends = {
        f"f{vip}": FrontendConfig(
            str(FIRST_VIP + vip),
            [PoolConfig("only", {name: MemberConfig() for name in names})],
            protocol="tcp",
            port=80,
        )
        for vip, names in enumerate(pools)
    }
    return Config(
        dataplane="vpp",
        dataplane_options=VppOptions(),
        lb=LbConfig(startup_min_delay=0, startup_max_delay=0, new_flow_table_length=TABLE, **lb),
        healthchecks={"alive": HealthCheckConfig(type="scripted", interval=2, timeout=1, rise=1, fall=1)},
        backends={f"b{number}": BackendConfig(str(FIRST_SERVER + number), check) for number in range(vips)},
        frontends=frontends,
    )


class Turns:
    """Notes the longest turn of the event loop."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._handle: Any = asyncio.Handle
        self._run = self._handle._run  # noqa: SLF001  (there is no other place to look from)

    def __enter__(self) -> Self:
        run = self._run

        def timed(handle: asyncio.Handle) -> None:
            started_s = time.perf_counter()
            run(handle)
            self.longest_s = max(self.longest_s, time.perf_counter() - started_s)

        self._handle._run = timed  # noqa: SLF001  (likewise)
        return self

    def __exit__(self, *_: object) -> None:
        self._handle._run = self._run  # noqa: SLF001  (likewise)


async def sync_event(controller: LiveControl, scope: str, start: Any = None, turns: Turns | None = None) -> SyncEvent:
    """Wait for the end of a pass of some scope; the turns count from where the waiting starts."""
    async with controller.subscribe(EventFilter(frozenset({EventKind.SYNC}))) as subscription:
        await checkpoint()
        if turns is not None:
            turns.longest_s = 0.0
        if start is not None:
            await start()
        async for item in subscription.events:
            if isinstance(item.event, SyncEvent) and item.event.scope == scope:
                return item.event
    raise RuntimeError("the controller ended")


def blocking_sync(vpp: Process, vips: int) -> float:
    """Fill VPP with the blocking client; returns operations a second."""
    client = VPPApiClient(server_address=vpp.options.api_addr, bootstrapapi=True)
    client.connect("blocking")
    started_s = time.perf_counter()
    for vip in range(vips):
        fields: dict[str, Any] = {"pfx": f"{FIRST_VIP + vip}/32", "protocol": 6, "port": 80}
        client.api.lb_add_del_vip_v2(**fields, encap=0, new_flows_table_length=TABLE)
        for server in range(SERVERS):
            client.api.lb_add_del_as_v2(**fields, as_address=str(FIRST_SERVER + (vip + server) % vips), weight=10)
    duration_s = time.perf_counter() - started_s
    client.disconnect()
    return vips * (SERVERS + 1) / duration_s


async def our_sync(vpp: Process, config: Config) -> float:
    """Fill VPP with a controller; returns operations a second."""
    await vpp.restart()
    event = await fill(vpp, config)
    if event.errors:
        raise RuntimeError(f"{len(event.errors)} errors, the first: {event.errors[0]}")
    return sum(event.operations.values()) / event.duration_s


async def fill(vpp: Process, config: Config, turns: Turns | None = None) -> SyncEvent:
    """Run a controller until it has filled VPP."""
    settings = Settings(config, PLUGIN_SET, WatchedDataplane(vpp.options))
    async with open_controller(settings) as controller:
        return await sync_event(controller, "fill", turns=turns)


async def rest(vpp: Process, config: Config) -> dict[str, float]:
    """Measure syncs that find nothing to do, and transitions."""
    await vpp.restart()  # without the remains of what was removed
    dataplane = WatchedDataplane(vpp.options)
    async with open_controller(Settings(config, PLUGIN_SET, dataplane)) as controller:
        # No event says both.
        while not controller.reconciler.session or any(  # noqa: ASYNC110
            health.state.value != "up" for health in controller.state.health.values()
        ):
            await anyio.sleep(0.1)

        async def sync() -> None:
            await controller.command(SyncDataplane(), ACTOR)

        await sync_event(controller, "operator", sync)
        passes = [(await sync_event(controller, "operator", sync)) for _ in range(ROUNDS)]
        with Turns() as turns:
            last = await sync_event(controller, "operator", sync, turns)
        if any(event.operations for event in (*passes, last)):
            raise RuntimeError("a sync found something to do")
        delays = await transitions(dataplane, len(config.backends))
        refilled_s = await refill(controller, vpp)
    return {
        "in_sync_pass_s": statistics.median(event.duration_s for event in passes),
        "in_sync_longest_turn_ms": turns.longest_s * 1000,
        "transition_p50_ms": delays[len(delays) // 2] * 1000,
        "transition_p99_ms": delays[len(delays) * 99 // 100] * 1000,
        "transition_max_ms": delays[-1] * 1000,
        "filled_after_restart_s": refilled_s,
    }


async def refill(controller: LiveControl, vpp: Process) -> float:
    """Restart VPP; returns how long after it listens again it is filled."""
    listens_s = 0.0

    async def restart() -> None:
        nonlocal listens_s
        await vpp.restart()
        listens_s = time.perf_counter()

    await sync_event(controller, "fill", restart)
    return time.perf_counter() - listens_s


async def transitions(dataplane: WatchedDataplane, backends: int) -> list[float]:
    """Take backends down at their own next probes; returns, sorted, how long their last write came after."""
    numbers = [number * (backends // TRANSITIONS or 1) % backends for number in range(min(TRANSITIONS, backends))]
    dataplane.written_s.clear()
    Scripted.told_s.clear()
    for number in numbers:
        Scripted.down.add(f"b{number}")
        await anyio.sleep(0.03)  # one after another, not a storm
    with anyio.fail_after(30):
        while len(dataplane.written_s) < len(numbers):  # noqa: ASYNC110  (nobody says so)
            await anyio.sleep(0.1)
    await anyio.sleep(1)
    return sorted(dataplane.written_s[str(FIRST_SERVER + number)] - Scripted.told_s[f"b{number}"] for number in numbers)


async def compare(vpp: Process, config: Config) -> dict[str, float]:
    """Let the two ways of filling take turns."""
    vips = len(config.frontends)
    ours, blocking = [], []
    for _ in range(ROUNDS):
        ours.append(await our_sync(vpp, config))
        await vpp.restart()
        blocking.append(await anyio.to_thread.run_sync(blocking_sync, vpp, vips))
    await vpp.restart()
    with Turns() as turns:
        await fill(vpp, config, turns)
    pairs = [mine / theirs for mine, theirs in zip(ours, blocking, strict=True)]
    return {
        "ours_operations_per_s": statistics.median(ours),
        "blocking_operations_per_s": statistics.median(blocking),
        "ratio": statistics.median(pairs),
        "fill_longest_turn_ms": turns.longest_s * 1000,
    }


async def measure(vips: int) -> dict[str, Any]:
    """Measure everything on one VPP."""
    folder = Path(tempfile.mkdtemp(prefix="mv-"))
    vpp: Process = RealVpp(folder, BINARY, PLUGINS) if BINARY else Standin(folder)
    await vpp.start()
    try:
        what = {"vpp": BINARY or "the stand-in", "vips": vips, "servers": SERVERS}
        return what | await compare(vpp, configuration(vips, None)) | await rest(vpp, configuration(vips))
    finally:
        await vpp.kill()
        shutil.rmtree(folder)


def main() -> None:
    """Measure, print, write down."""
    figures = anyio.run(measure, int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
    for name, value in figures.items():
        print(f"{name:28} {value:10.2f}" if isinstance(value, float) else f"{name:28} {value!s:>10}")
    target = ROOT / "build" / "bench-sync.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
