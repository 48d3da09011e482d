"""Every call, through the typed client, on a real controller: what it answers, what it does, and how it refuses."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest

from maglev.api import (
    BackendState,
    BadArgument,
    Command,
    Control,
    DataplaneSnapshot,
    DisableBackend,
    EnableBackend,
    FailedPrecondition,
    Flow,
    IPProtocol,
    MessageCount,
    NotConnected,
    PauseBackend,
    ReloadConfig,
    ResetBackend,
    ResetFrontendPoolBackendWeight,
    ResumeBackend,
    SetFrontendPoolBackendWeight,
    SetWeight,
    Snapshot,
    SyncDataplane,
    UnknownName,
    VipKey,
)
from maglev_grpc.client import Client
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from plugins.maglev_grpc.tests.serving import YAML, Served, exported, running, until

WEB = VipKey(ip_address("10.9.0.1"), IPProtocol.TCP, 80)
ALPHA, BETA, SPARE = map(ip_address, ("10.1.0.1", "10.1.0.2", "10.1.0.9"))


def weights(served: Served) -> list[int]:
    """What the dataplane itself holds for alpha, beta and the spare."""
    servers = served.store.vips[WEB].servers
    return [servers[address].weight for address in (ALPHA, BETA, SPARE)]


async def write(path: Path, text: str) -> None:
    await anyio.Path(path).write_text(text)


async def test_what_is_told_is_what_the_controller_knows() -> None:
    async with running() as served, served.client() as client:
        now = served.control.snapshot()
        told = await client.snapshot()
        assert told.frontends == now.frontends
        assert told.backends == now.backends
        assert told.healthchecks == now.healthchecks
        assert told.dataplane == now.dataplane
        assert told.sequence == now.sequence
        assert await client.frontends() == tuple(now.frontends.values())
        assert await client.backends() == tuple(now.backends.values())
        assert await client.healthchecks() == ()
        assert await client.frontend("web") == now.frontends["web"]
        assert await client.backend("spare") == now.backends["spare"]


async def test_info_tells_version_and_what_the_asker_may_do() -> None:
    async with running() as served, served.client() as client:
        info = await client.info()
        assert info.version == served.control.snapshot().version
        assert (info.may_change, info.may_change_why) == (True, "loopback")
        assert info.warm


async def test_the_connection_to_the_dataplane_is_told_without_what_it_holds() -> None:
    async with running() as served, served.client() as client:
        dataplane = await client.dataplane()
        assert dataplane.connected
        assert dataplane.info is not None
        assert dataplane.info.name == "memory"
        assert dataplane.state is None


async def test_messages_to_and_from_the_dataplane_are_counted() -> None:
    counts = (MessageCount("lb_conf", "tx", "ok", 2), MessageCount("lb_conf_reply", "rx", "error", 1))

    class Counted:
        def __init__(self, control: Control) -> None:
            self._control = control

        def __getattr__(self, name: str) -> Any:
            return getattr(self._control, name)

        def snapshot(self) -> Snapshot:
            now = self._control.snapshot()
            return attrs.evolve(now, dataplane=attrs.evolve(now.dataplane, api_messages=counts))

        def dataplane_snapshot(self) -> DataplaneSnapshot:
            return attrs.evolve(self._control.dataplane_snapshot(), api_messages=counts)

    async with running() as served, exported(Counted(served.control)) as front, front.client() as client:
        assert (await client.dataplane()).api_messages == counts
        assert (await client.snapshot()).dataplane.api_messages == counts


async def test_what_the_dataplane_does_not_carry_out_is_told_as_an_error() -> None:
    async with running() as served, served.client() as client:
        served.store.faults.refuse(matching=lambda operation: isinstance(operation, SetWeight), times=None)
        result = await client.command(PauseBackend("alpha"))
        assert result.changed
        assert len(result.errors) == 2
        assert all("10.1.0.1" in error for error in result.errors)
        assert result.messages == ()
        served.store.faults.clear()
        result = await client.command(SyncDataplane())
        assert (result.changed, result.errors) == (True, ())


async def test_the_dataplane_is_read_afresh() -> None:
    async with running() as served, served.client() as client:
        state = await client.read_dataplane(details=True)
        assert state == await served.control.read_dataplane(details=True)
        assert [counter.vip for counter in await client.counters()] == [
            counter.vip for counter in await served.control.counters()
        ]


async def test_pause_and_resume_reach_the_dataplane() -> None:
    async with running() as served, served.client() as client:
        before = weights(served)
        assert (await client.command(PauseBackend("alpha"))).changed
        assert (await client.backend("alpha")).state is BackendState.PAUSED
        assert weights(served) == [0, before[1], 0]
        assert not (await client.command(PauseBackend("alpha"))).changed
        await client.command(ResumeBackend("alpha"))
        assert weights(served) == before


async def test_disable_enable_and_reset_reach_the_dataplane() -> None:
    async with running() as served, served.client() as client:
        before = weights(served)
        await client.command(DisableBackend("beta"))
        assert weights(served) == [before[0], 0, 0]
        assert (await client.backend("beta")).overridden
        await client.command(EnableBackend("beta"))
        assert weights(served) == before
        await client.command(DisableBackend("beta"))
        await client.command(ResetBackend("beta"))
        assert not (await client.backend("beta")).overridden
        assert weights(served) == before


async def test_a_weight_is_set_and_reset() -> None:
    async with running() as served, served.client() as client:
        before = weights(served)
        result = await client.command(SetFrontendPoolBackendWeight("web", "primary", "alpha", 0))
        assert result.changed
        assert weights(served) == [0, before[1], 0]
        members = (await client.frontend("web")).members
        assert [(m.weight, m.configured_weight, m.overridden) for m in members if m.backend == "alpha"] == [
            (0, 100, True)
        ]
        await client.command(ResetFrontendPoolBackendWeight("web", "primary", "alpha"))
        assert weights(served) == before


async def test_sync_puts_right_what_somebody_else_changed() -> None:
    async with running() as served, served.client() as client:
        held = weights(served)
        await client.command(PauseBackend("alpha"))
        assert weights(served) != held
        await client.command(ResumeBackend("alpha"))
        assert not (await client.command(SyncDataplane("web"))).changed
        assert not (await client.command(SyncDataplane())).changed
        assert weights(served) == held


async def test_a_preview_tells_what_the_command_then_does() -> None:
    async with running() as served, served.client() as client:
        before = weights(served)
        preview = await client.preview(DisableBackend("alpha"))
        assert weights(served) == before
        await client.command(DisableBackend("alpha"))
        web = next(frontend for frontend in preview.frontends if frontend.frontend == "web")
        assert [web.after.table_weights[address] for address in (ALPHA, BETA, SPARE)] == weights(served)
        assert web.flushed == (ALPHA,)
        assert 0.4 < web.moved < 0.6


async def test_a_flow_is_traced_to_its_server_and_to_the_next_one() -> None:
    async with running() as served, served.client() as client:
        flow = Flow(ip_address("203.0.113.5"), 12345)
        trace = await client.trace_flow("web", flow)
        assert trace == await served.control.trace_flow("web", flow)
        await client.command(DisableBackend(trace.backend))
        assert (await client.trace_flow("web", flow)).backend == trace.backend_if_down


async def test_a_configuration_is_checked_and_reloaded(written_config: Path) -> None:
    async with running(written_config) as served, served.client() as client:
        assert await client.check_config() == ()
        await write(written_config, YAML.replace("beta: {}", "beta: {weight: 50}"))
        assert (await client.command(ReloadConfig())).changed
        members = {member.backend: member for member in (await client.frontend("web")).members}
        assert members["beta"].configured_weight == 50


async def test_an_invalid_configuration_changes_nothing_and_is_explained(written_config: Path) -> None:
    async with running(written_config) as served, served.client() as client:
        before = await client.frontends()
        await write(written_config, YAML.replace("port: 80", "prot: 80"))
        problems = await client.check_config()
        assert any("prot" in str(problem) for problem in problems)
        assert all(problem.line for problem in problems)
        with pytest.raises(FailedPrecondition, match="prot"):
            await client.command(ReloadConfig())
        assert await client.frontends() == before


async def test_an_error_too_long_for_its_place_is_cut_and_still_arrives(written_config: Path) -> None:
    async with running(written_config) as served, served.client() as client:
        nonsense = "".join(f"  wröng-{number}: {{x: 1}}\n" for number in range(500))
        await write(written_config, YAML + nonsense)
        with pytest.raises(FailedPrecondition, match=r"\(cut\)"):
            await client.command(ReloadConfig())
        assert len(await client.check_config()) >= 500


UNKNOWN: list[tuple[Command, str, str]] = [
    (PauseBackend("alpa"), "backend", "alpha"),
    (ResumeBackend("alpa"), "backend", "alpha"),
    (EnableBackend("alpa"), "backend", "alpha"),
    (DisableBackend("alpa"), "backend", "alpha"),
    (ResetBackend("alpa"), "backend", "alpha"),
    (SetFrontendPoolBackendWeight("wep", "primary", "alpha", 1), "frontend", "web"),
    (SetFrontendPoolBackendWeight("web", "primari", "alpha", 1), "pool", "primary"),
    (SetFrontendPoolBackendWeight("web", "primary", "bet", 1), "backend", "beta"),
    (ResetFrontendPoolBackendWeight("web", "primary", "bet"), "backend", "beta"),
    (SyncDataplane("wep"), "frontend", "web"),
]


@pytest.mark.parametrize("command,kind,nearest", UNKNOWN, ids=[repr(entry[0]) for entry in UNKNOWN])
async def test_an_unknown_name_is_answered_with_the_nearest(command: Command, kind: str, nearest: str) -> None:
    async with running() as served, served.client() as client:
        before = weights(served)
        for attempt in (client.command, client.preview):
            with pytest.raises(UnknownName, match="did you mean") as caught:
                await attempt(command)
            assert (caught.value.kind, caught.value.nearest[0]) == (kind, nearest)
        assert weights(served) == before


async def test_looking_up_an_unknown_name_is_answered_with_the_nearest() -> None:
    async with running() as served, served.client() as client:
        for look_up in (client.backend, client.frontend, client.healthcheck):
            with pytest.raises(UnknownName) as caught:
                await look_up("alphb")
            assert caught.value.nearest == (("alpha",) if caught.value.kind == "backend" else ())
        with pytest.raises(UnknownName, match="no frontend 'wep'; did you mean 'web'"):
            await client.trace_flow("wep", Flow(ip_address("203.0.113.5")))


@pytest.mark.parametrize("weight", [101, 2**32 - 1])
async def test_a_weight_out_of_range_is_refused(weight: int) -> None:
    async with running() as served, served.client() as client:
        before = weights(served)
        for attempt in (client.command, client.preview):
            with pytest.raises(BadArgument, match="0 to 100"):
                await attempt(SetFrontendPoolBackendWeight("web", "primary", "alpha", weight))
        assert weights(served) == before


async def refused(client: Client, name: str, request: object, message: str) -> None:
    with pytest.raises(BadArgument, match=message):
        await client.call(name, request)  # type: ignore[arg-type]  # one request as good as another


async def test_arguments_that_can_never_be_right_are_refused() -> None:
    long = "x" * 300
    async with running() as served, served.client() as client:
        before = weights(served)
        unset = pb.SetFrontendPoolBackendWeightRequest(frontend="web", pool="primary", backend="alpha")
        await refused(client, "SetFrontendPoolBackendWeight", unset, "weight is not set")
        await refused(client, "PreviewChange", pb.PreviewChangeRequest(), "change is not set")
        await refused(client, "PauseBackend", pb.PauseBackendRequest(backend=long), "256 characters at most")
        await refused(client, "GetBackend", pb.GetBackendRequest(name=long), "256 characters at most")
        await refused(client, "TraceFlow", pb.TraceFlowRequest(frontend="web"), "flow.source is not set")
        for flow, message in (
            (pb.Flow(source="elsewhere"), r"flow\.source: 'elsewhere' does not appear"),
            (pb.Flow(source="2001:db8::1"), "IPv4"),
            (pb.Flow(source="192.0.2.1", source_port=65536), "flow.source_port: 65536 is not a port"),
            (pb.Flow(source="192.0.2.1", protocol=pb.IP_PROTOCOL_UNSPECIFIED), "flow.protocol: 0 is not in IPProtocol"),
        ):
            await refused(client, "TraceFlow", pb.TraceFlowRequest(frontend="web", flow=flow), message)
        assert weights(served) == before


async def test_what_does_not_fit_the_present_state_is_refused() -> None:
    async with running() as served, served.client() as client:
        await client.command(DisableBackend("alpha"))
        with pytest.raises(FailedPrecondition, match="disabled"):
            await client.command(PauseBackend("alpha"))


async def test_without_a_dataplane_reading_goes_on_and_writing_says_why() -> None:
    async with running() as served, served.client() as client:
        served.store.stop()
        await until(lambda: not served.control.snapshot().dataplane.connected, "the dataplane is lost")
        assert not (await client.dataplane()).connected
        assert len(await client.frontends()) == 2
        with pytest.raises(NotConnected):
            await client.read_dataplane()
        with pytest.raises(NotConnected):
            await client.counters()
        with pytest.raises(NotConnected):
            await client.command(SyncDataplane())
