"""A controller on a VPP: VPP holds what is wanted whatever happened, and established flows are kept."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest

from maglev.api import (
    AddServer,
    AddVip,
    Control,
    DataplaneState,
    DeleteServer,
    DeleteVip,
    Encap,
    IPProtocol,
    Operation,
    ReloadConfig,
    SetFrontendPoolBackendWeight,
    SetWeight,
    SyncDataplane,
    VipAttributes,
    VipKey,
)
from maglev.config import Config, FrontendConfig
from maglev.domain.table import bucket_counts
from maglev_vpp import VppDataplane
from plugins.maglev_vpp.tests.controller_setup import (
    ACTOR,
    TIMINGS,
    ScriptedChecker,
    config,
    controller_of,
    pool,
    settled,
    state_of,
    until,
    until_async,
    wanted_weights,
    weights_of,
)
from plugins.maglev_vpp.tests.standin.harness import ROOT, Process, Standin

FOREIGN = VipKey(ip_address("203.0.113.9"), IPProtocol.TCP, 25)
WEB = VipKey(ip_address("192.0.2.80"), IPProtocol.TCP, 80)
A, B, C, D = (ip_address(f"198.51.100.{number}") for number in range(1, 5))
DISRUPTIVE = ("lb_conf", "lb_add_del_vip_v2")
"""Messages that end established flows."""


@pytest.fixture(autouse=True)
def reset_checker() -> None:
    ScriptedChecker.down.clear()
    ScriptedChecker.asked.clear()


async def write_as_other_client(vpp: Process, *operations: Operation) -> None:
    """Write to VPP past the controller."""
    async with VppDataplane(vpp.options).connect() as session:
        await session.apply(operations)


async def read(vpp: Process) -> DataplaneState:
    async with VppDataplane(vpp.options).connect() as session:
        return await session.read()


class RandomChanges:
    """Makes random changes, as transitions, operators, reloads and other clients of VPP do.

    Args:
        seed: Of the sequence.
        controller: Whose backends and commands.
        reloads: Where the configuration of the next reload goes.
        vpp: What the other client writes to.
    """

    def __init__(self, seed: int, controller: Control, reloads: list[Config], vpp: Process) -> None:
        self.random = random.Random(seed)
        self.controller = controller
        self.reloads = reloads
        self.vpp = vpp

    async def step(self) -> None:
        """Do one thing."""
        await self.random.choice([self.transition, self.weight, self.reload, self.other_client])()

    async def transition(self) -> None:
        """A backend fails, or recovers."""
        name = self.random.choice("abcd")
        ScriptedChecker.down.symmetric_difference_update({name})
        wanted = "down" if name in ScriptedChecker.down else "up"
        await until(lambda: state_of(self.controller, name) == wanted, f"{name} {wanted}")

    async def weight(self) -> None:
        """An operator sets a weight."""
        weight = self.random.choice([0, 10, 37, 100])
        await self.controller.command(
            SetFrontendPoolBackendWeight("web", "primary", self.random.choice("abc"), weight), ACTOR
        )

    async def reload(self) -> None:
        """A frontend comes or goes."""
        new = FrontendConfig("192.0.2.81", [pool("only", b=100, d=20)], protocol="udp", port=53)
        self.reloads.append(self.random.choice([config(new=new), config()]))
        await self.controller.command(ReloadConfig(), ACTOR)

    async def other_client(self) -> None:
        """Another client removes a server, changes a weight, adds a VIP, removes one."""
        server = self.random.choice([A, B, C, D])
        operations: list[Operation] = [
            DeleteServer(WEB, server),
            SetWeight(WEB, server, self.random.randrange(100)),
            AddServer(WEB, ip_address("198.51.100.99"), 50),
            AddVip(FOREIGN, VipAttributes(Encap.GRE4, 1024)),
            DeleteVip(WEB),
        ]
        await write_as_other_client(self.vpp, self.random.choice(operations))


@pytest.mark.parametrize("seed", range(4))
async def test_after_anything_one_sync_makes_it_right_and_a_second_writes_nothing(vpp: Process, seed: int) -> None:
    await vpp.restart()
    reloads: list[Config] = []
    async with controller_of(VppDataplane(vpp.options, TIMINGS), config(), reloads) as controller:
        await settled(controller)
        changes = RandomChanges(seed, controller, reloads, vpp)
        for _ in range(12):
            await changes.step()
            await controller.command(SyncDataplane(), ACTOR)
            state = await read(vpp)
            held = {key: weights for key, weights in weights_of(state).items() if key != FOREIGN}
            assert held == wanted_weights(controller)
            check_buckets(state)
            outcome = await controller.command(SyncDataplane(), ACTOR)
            assert not outcome.changed
            assert (await read(vpp)) == state


def check_buckets(state: DataplaneState) -> None:
    """VPP's own counts of buckets are those that we predict."""
    for vip in state.vips.values():
        weights = {address: server.weight for address, server in vip.servers.items()}
        buckets = {address: server.buckets for address, server in vip.servers.items()}
        assert buckets == bucket_counts(weights, vip.attributes.table_length)


def disruptive(writes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [write for write in writes if write["message"] in DISRUPTIVE]


async def test_a_second_sync_sends_nothing_at_all(standin: Standin) -> None:
    async with controller_of(VppDataplane(standin.options, TIMINGS), config()) as controller:
        await settled(controller)
        await controller.command(SyncDataplane(), ACTOR)
        await standin.writes(clear=True)
        await controller.command(SyncDataplane(), ACTOR)
        assert await standin.writes() == []


async def test_a_transition_costs_its_own_writes_only(standin: Standin) -> None:
    async with controller_of(VppDataplane(standin.options, TIMINGS), config()) as controller:
        await settled(controller)
        await standin.writes(clear=True)
        ScriptedChecker.down.add("b")
        await until_async(standin.writes, "b is drained")
        await settled(controller)
        writes = await standin.writes()
        assert {write["message"] for write in writes} == {"lb_as_set_weight"}
        assert {(write["server"], write["weight"]) for write in writes} == {((bytes(12) + B.packed).hex(), 0)}
        assert sorted(write["flush"] for write in writes) == [False, True]  # as each frontend's flush-on-down says


async def test_what_established_flows_hang_on_is_touched_by_nothing_but_a_reload_and_recreate(
    standin: Standin,
) -> None:
    first = [pool("primary", a=100, b=100, c=50), pool("fallback", d=100)]
    fresh = FrontendConfig("192.0.2.80", first, protocol="tcp", port=80, src_ip_sticky=False)
    reloads = [config(web=fresh)]
    async with controller_of(VppDataplane(standin.options, TIMINGS), config(), reloads) as controller:
        await settled(controller)
        await standin.writes(clear=True)
        await write_as_other_client(standin, DeleteVip(WEB), AddVip(WEB, VipAttributes(Encap.GRE4, 4096)))
        await standin.writes(clear=True)
        ScriptedChecker.down.update("ab")
        await until(lambda: state_of(controller, "b") == "down", "b down")
        await controller.command(SyncDataplane(), ACTOR)
        ScriptedChecker.down.clear()
        await settled(controller)
        await controller.command(SyncDataplane(), ACTOR)
        assert disruptive(await standin.writes()) == []
        assert (await read(standin)).vips[WEB].attributes == VipAttributes(Encap.GRE4, 4096)

        await controller.command(SyncDataplane(recreate=True), ACTOR)
        assert (await read(standin)).vips[WEB].attributes == VipAttributes(Encap.GRE4, 1024, sticky=True)
        await standin.writes(clear=True)
        await controller.command(ReloadConfig(), ACTOR)
        await controller.command(SyncDataplane(), ACTOR)
        touched = disruptive(await standin.writes())
        assert [(write["is_del"], write["sticky"]) for write in touched] == [(True, False), (False, False)]


async def test_a_vpp_that_restarts_is_filled_again(vpp: Process) -> None:
    await vpp.restart()
    async with controller_of(VppDataplane(vpp.options, TIMINGS), config()) as controller:
        await settled(controller)
        before = await read(vpp)
        await vpp.restart()
        await until(lambda: controller.status().dataplane.connected, "connected again")
        await settled(controller)
        after = await read(vpp)
        assert weights_of(after) == weights_of(before)
        assert after.conf == before.conf


FAULTS: dict[str, tuple[list[tuple[str, dict[str, Any]]], list[tuple[str, dict[str, Any]]]]] = {
    "slow": ([("delay", {"seconds": 0.01})], [("delay", {"seconds": 0})]),
    "hanging": ([("hang", {"on": True})], [("hang", {"on": False})]),
    "dropping replies": ([("drop", {"message": "lb_as_set_weight", "times": 3})], []),
    "not answering pings": (
        [("drop", {"message": "control_ping", "times": 99})],
        [("drop", {"message": "control_ping", "times": 0})],
    ),
    "refusing": ([("refuse", {"message": "lb_as_set_weight", "retvals": [-1, -1, -1]})], []),
    "sending garbage": ([("send", {"hexadecimal": "ff" * 40, "raw": True})], []),
    "locking its statistics": ([("lock_stats", {"on": True})], [("lock_stats", {"on": False})]),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_probes_go_on_through_every_fault_and_all_is_right_when_it_is_over(
    standin: Standin, dataplane: VppDataplane, name: str
) -> None:
    begin, end = FAULTS[name]
    async with controller_of(dataplane, config()) as controller:
        await settled(controller)
        for command, arguments in begin:
            await standin.do(command, **arguments)
        ScriptedChecker.down.add("a")
        await until(lambda: state_of(controller, "a") == "down", "a down")
        probes = ScriptedChecker.asked["c"]
        await until(lambda: ScriptedChecker.asked["c"] > probes + 20, "probes go on")
        for command, arguments in end:
            await standin.do(command, **arguments)
        await until_async(lambda: right(controller, standin), "all is right")


async def right(controller: Control, vpp: Process) -> bool:
    return controller.status().dataplane.connected and weights_of(await read(vpp)) == wanted_weights(controller)


@asynccontextmanager
async def daemon_on(folder: Path) -> AsyncIterator[anyio.abc.Process]:
    """A maglevd in a process of its own, killed at the end without a warning."""
    command = [sys.executable, "-m", "plugins.maglev_vpp.tests.controller_setup", str(folder)]
    process = await anyio.open_process(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=None, stderr=None)
    try:
        yield process
    finally:
        process.kill()
        await process.wait()
        await process.aclose()


async def test_killing_and_starting_again_lowers_no_healthy_server(standin: Standin) -> None:
    down = anyio.Path(standin.folder / "down")
    await down.mkdir()

    async def weights() -> dict[str, int]:
        servers = (await read(standin)).vips
        return {str(a): s.weight for a, s in servers[WEB].servers.items()} if WEB in servers else {}

    async with daemon_on(standin.folder):
        await until_async(lambda: is_(weights, {str(A): 10, str(B): 10, str(C): 5, str(D): 0}), "serving")
        await (down / "b").touch()
        await until_async(lambda: is_(weights, {str(A): 10, str(B): 0, str(C): 5, str(D): 0}), "b drained")
    await standin.writes(clear=True)
    async with daemon_on(standin.folder):
        # What it does for c shows that it is past its warm-up, and did not find anything to do before.
        await (down / "c").touch()
        await until_async(lambda: is_(weights, {str(A): 10, str(B): 0, str(C): 0, str(D): 0}), "c drained")
    writes = await standin.writes()
    assert {write["message"] for write in writes} == {"lb_as_set_weight"}
    assert {write["server"] for write in writes} == {(bytes(12) + C.packed).hex()}


async def is_(ask: Any, expected: object) -> bool:
    return bool(await ask() == expected)
