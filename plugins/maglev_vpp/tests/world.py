"""A controller on a VPP, and backends that do as the test says. As a program: the same as a daemon to be killed."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, ClassVar

import anyio

from maglev.api import Actor, AsyncChecker, Code, DataplaneState, ProbeResult, Target, VipKey
from maglev.config import (
    BackendConfig,
    Config,
    FrontendConfig,
    HealthCheckConfig,
    LbConfig,
    MemberConfig,
    PluginSet,
    PoolConfig,
)
from maglev.runtime import LiveControl, Settings, open_controller
from maglev_vpp import Timings, VppDataplane, VppOptions

ACTOR = Actor("test", "library")
PATIENT = Timings(poll_s=0.05)
LB: dict[str, Any] = {"ipv4_src_address": "192.0.2.1", "ipv6_src_address": "2001:db8::1", "sync_interval": 3600}


class Scripted(AsyncChecker):
    """Fails for a backend of whose name there is a file in a folder, or a word in a set."""

    name: ClassVar[str] = "scripted"
    needs_port: ClassVar[bool] = False
    down: ClassVar[set[str]] = set()
    folder: ClassVar[Path | None] = None
    asked: ClassVar[dict[str, int]] = {}

    async def probe(self, target: Target) -> ProbeResult:
        """Count and answer."""
        self.asked[target.backend] = self.asked.get(target.backend, 0) + 1
        filed = self.folder is not None and await anyio.Path(self.folder / target.backend).exists()
        failed = filed or target.backend in self.down
        return ProbeResult(Code.L4CON if failed else Code.L7OK, "as told")


PLUGINS = PluginSet(checkers={"scripted": Scripted}, dataplanes={"vpp": VppDataplane})


def pool(name: str, **weights: int) -> PoolConfig:
    """A pool."""
    return PoolConfig(name, {backend: MemberConfig(weight) for backend, weight in weights.items()})


def config(warm_up_s: tuple[float, float] = (0, 0), **frontends: FrontendConfig) -> Config:
    """Two frontends on one IPv4 address, one on an IPv6 address with servers of IPv4."""
    first = [pool("primary", a=100, b=100, c=50), pool("fallback", d=100)]
    made = {
        "web": FrontendConfig("192.0.2.80", first, protocol="tcp", port=80, src_ip_sticky=True),
        "tls": FrontendConfig("192.0.2.80", first, protocol="tcp", port=443, flush_on_down=False),
        "all": FrontendConfig("2001:db8:80::1", [pool("only", a=10, c=30)], protocol="any"),
        **frontends,
    }
    return Config(
        dataplane="vpp",
        dataplane_options=VppOptions(),
        lb=LbConfig(startup_min_delay=warm_up_s[0], startup_max_delay=warm_up_s[1], new_flow_table_length=1024, **LB),
        healthchecks={"alive": HealthCheckConfig(type="scripted", interval=0.02, timeout=1, rise=2, fall=2)},
        backends={name: BackendConfig(f"198.51.100.{at}", "alive") for at, name in enumerate("abcd", 1)},
        frontends=made,
    )


@asynccontextmanager
async def controller_of(dataplane: VppDataplane, source: Config) -> AsyncIterator[LiveControl]:
    """Run a controller on a VPP."""
    async with open_controller(Settings(source, PLUGINS, dataplane)) as controller:
        yield controller


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait until something holds; fail, saying what, if it never does."""

    async def asked() -> object:
        return condition()

    await until_async(asked, what)


async def until_async(condition: Callable[[], Awaitable[object]], what: str) -> None:
    """As `until`, for a question that must be waited for."""
    with anyio.move_on_after(30):
        while not await condition():  # noqa: ASYNC110  (any condition at all, not one that somebody signals)
            await anyio.sleep(0.01)
        return
    raise AssertionError(f"never happened: {what}")


Weights = Mapping[VipKey, Mapping[IPv4Address | IPv6Address, int]]


def weights_of(state: DataplaneState) -> Weights:
    """The weights of a dataplane's servers by VIP."""
    return {key: {a: s.weight for a, s in vip.servers.items()} for key, vip in state.vips.items()}


def wanted_weights(controller: LiveControl) -> Weights:
    """The weights that a controller wants, by VIP."""
    return {
        frontend.vip: {
            member.address: max(m.table_weight for m in frontend.members if m.address == member.address)
            for member in frontend.members
        }
        for frontend in controller.snapshot().frontends.values()
    }


async def settled(controller: LiveControl) -> None:
    """Wait until VPP holds what the controller wants, and every backend has been judged."""
    await until(
        lambda: not any(b.state.value == "unknown" for b in controller.snapshot().backends.values()), "all judged"
    )

    async def right() -> bool:
        session = controller.reconciler.session
        return session is not None and weights_of(await session.read()) == wanted_weights(controller)

    await until_async(right, "VPP holds what is wanted")


async def daemon(folder: Path) -> None:
    """Run until killed, on the VPP of a folder."""
    Scripted.folder = folder / "down"
    dataplane = VppDataplane(VppOptions(str(folder / "api.sock"), str(folder / "stats.sock")), PATIENT)
    async with controller_of(dataplane, config(warm_up_s=(0.2, 10))):
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(daemon, Path(sys.argv[1]))
