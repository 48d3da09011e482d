"""A controller on a VPP, with a checker that a test controls. Run as a program: the same in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, ClassVar

import anyio
import attrs

from maglev.api import (
    Actor,
    AsyncChecker,
    Code,
    Control,
    DataplaneError,
    DataplaneState,
    NotConnected,
    ProbeResult,
    Target,
    VipKey,
)
from maglev.config import (
    BackendConfig,
    Config,
    FrontendConfig,
    HealthCheckConfig,
    LbConfig,
    Loaded,
    MemberConfig,
    PluginSet,
    PoolConfig,
    check,
)
from maglev.runtime import Settings, open_controller
from maglev_vpp import Timings, VppDataplane, VppOptions

ACTOR = Actor("test", "library")
TIMINGS = Timings(poll_s=0.05)
LB: dict[str, Any] = {"ipv4_src_address": "192.0.2.1", "ipv6_src_address": "2001:db8::1", "sync_interval": 3600}


class ScriptedChecker(AsyncChecker):
    """Fails for backends named in `down`, or by a file in `folder`."""

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


PLUGINS = PluginSet(checkers={"scripted": ScriptedChecker}, dataplanes={"vpp": VppDataplane})


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


@attrs.frozen
class ChangingSettings(Settings):
    """Settings with which a reload takes the last configuration of a list, if there is one."""

    reloads: list[Config] = attrs.field(factory=list)

    async def reload(self, source: Config | Path) -> Loaded:
        """Load the last configuration of the list."""
        del source
        return check(self.reloads[-1], self.plugins)


@asynccontextmanager
async def controller_of(
    dataplane: VppDataplane, source: Config, reloads: list[Config] | None = None
) -> AsyncIterator[Control]:
    """Run a controller on a VPP."""
    settings = ChangingSettings(source, PLUGINS, dataplane, reloads=[] if reloads is None else reloads)
    async with open_controller(settings) as controller:
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


def wanted_weights(control: Control) -> Weights:
    """The weights that a controller wants, by VIP."""
    frontends = control.snapshot().frontends.values()
    return {each.vip: {member.address: member.table_weight for member in each.members} for each in frontends}


def state_of(control: Control, backend: str) -> str:
    """The state of a backend."""
    return control.backend(backend).state.value


async def settled(control: Control) -> None:
    """Wait until VPP holds what the controller wants, and every backend has a verdict."""
    await until(lambda: all(b.state != "unknown" for b in control.snapshot().backends.values()), "all have a verdict")

    async def right() -> bool:
        try:
            return weights_of(await control.read_dataplane()) == wanted_weights(control)
        except (DataplaneError, NotConnected):
            return False

    await until_async(right, "VPP holds what is wanted")


async def daemon(folder: Path) -> None:
    """Run until killed, on the VPP of a folder."""
    ScriptedChecker.folder = folder / "down"
    dataplane = VppDataplane(VppOptions(str(folder / "api.sock"), str(folder / "stats.sock")), TIMINGS)
    async with controller_of(dataplane, config(warm_up_s=(0.2, 10))):
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(daemon, Path(sys.argv[1]))
