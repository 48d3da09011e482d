"""The law of dry runs: for every command, on any state, what the preview says equals what then happens.

The parts of the daemon are the real ones, without their tasks: verdicts, sync runs and the clock come from the test.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from ipaddress import IPv4Address, ip_address
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maglev.api import (
    BackendState,
    Code,
    Command,
    CommandError,
    CommandResult,
    DeleteServer,
    DisableBackend,
    EnableBackend,
    Encap,
    IPProtocol,
    NotConnected,
    PauseBackend,
    Preview,
    ProbeResult,
    ReloadConfig,
    ResetBackend,
    ResetFrontendPoolBackendWeight,
    ResumeBackend,
    ServerState,
    SetConf,
    SetFrontendPoolBackendWeight,
    SetWeight,
    SyncDataplane,
    VipAttributes,
    VipKey,
    VipState,
)
from maglev.config import (
    BackendConfig,
    Config,
    FrontendConfig,
    HealthCheckConfig,
    HealthCheckerConfig,
    LbConfig,
    MemberConfig,
    PoolConfig,
)
from maglev.config import check as check_config
from maglev.dataplanes.memory import MemoryDataplane, MemoryStore
from maglev.domain.describe import describe
from maglev.domain.state import State, verdict
from maglev.domain.state.sync import SyncRequest, dataplane_connected, warm_up_tick
from maglev.runtime import OverrideStore, Settings
from maglev.runtime.checkers import build_beside
from maglev.runtime.commands import carry_out
from maglev.runtime.controller import Controller
from maglev.runtime.execution import Live
from maglev.runtime.sync_run import SyncOutcome, SyncRun
from tests.runtime.conftest import PLUGINS

EXAMPLES = 20_000 if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else 2_000
BACKENDS = "abcd"
FRONTENDS = ("web", "tls", "api")
PASS, FAIL = ProbeResult(Code.L7OK, "200"), ProbeResult(Code.L4CON, "refused")
FOREIGN = VipKey(ip_address("10.9.9.9"), IPProtocol.TCP, 443)
WARM_UP_NS = 1_000_000_000

# --- configurations, and what happens before the command ----------------------------------------------------------

names = st.sampled_from(BACKENDS)
weights = st.sampled_from([0, 1, 30, 60, 100])


@st.composite
def backend(draw: st.DrawFn, at: int) -> BackendConfig:
    address = f"10.1.0.{draw(st.sampled_from([at, at, at, at + 10]))}"
    healthcheck = draw(st.sampled_from(["alive", "alive", "other", None]))
    return BackendConfig(address, healthcheck, enabled=draw(st.sampled_from([True, True, True, False])))


@st.composite
def pools(draw: st.DrawFn) -> list[PoolConfig]:
    count = draw(st.integers(1, 2))
    members = [draw(st.dictionaries(names, weights, min_size=1, max_size=3)) for _ in range(count)]
    return [
        PoolConfig(
            f"p{at}", {name: MemberConfig(weight) for name, weight in pool.items()}, min_up=draw(st.integers(1, 2))
        )
        for at, pool in enumerate(members)
    ]


@st.composite
def configs(draw: st.DrawFn) -> Config:
    backends = {name: draw(backend(at)) for at, name in enumerate(BACKENDS, start=1)}
    frontends = {}
    for name, port in draw(st.dictionaries(st.sampled_from(FRONTENDS), st.just(80), min_size=1)).items():
        at = "10.9.0.1" if name in ("web", "tls") else draw(st.sampled_from(["10.9.0.2", "10.9.0.3"]))
        frontends[name] = FrontendConfig(
            at,
            draw(pools()),
            protocol="tcp",
            port=443 if name == "tls" else port,
            src_ip_sticky=draw(st.sampled_from([False, False, True])),
            flush_on_down=draw(st.booleans()),
            when_none_up=draw(st.sampled_from(["drop", "hold"])),
        )
    used = {name for f in frontends.values() for pool in f.pools for name in pool.backends}
    return Config(
        dataplane="memory",
        healthchecker=HealthCheckerConfig(transition_history=draw(st.integers(1, 3))),
        lb=LbConfig(
            startup_min_delay=1,
            startup_max_delay=5,
            new_flow_table_length=draw(st.sampled_from([64, 64, 128])),
            weight_step=draw(st.sampled_from(["auto", "auto", 10])),
            sticky_buckets_per_core=draw(st.sampled_from([1024, 1024, 2048])),
        ),
        healthchecks={
            "alive": HealthCheckConfig("scripted", rise=1, fall=draw(st.integers(1, 2))),
            "other": HealthCheckConfig("scripted", timeout=2),
        },
        backends={name: each for name, each in backends.items() if name in used or draw(st.booleans())},
        frontends=frontends,
    )


@st.composite
def commands(draw: st.DrawFn) -> Command:
    frontend, pool = draw(st.sampled_from(FRONTENDS)), draw(st.sampled_from(["p0", "p1"]))
    name = draw(names)
    every: list[Command] = [
        PauseBackend(name),
        ResumeBackend(name),
        DisableBackend(name),
        EnableBackend(name),
        ResetBackend(name),
        SetFrontendPoolBackendWeight(frontend, pool, name, draw(weights)),
        ResetFrontendPoolBackendWeight(frontend, pool, name),
        SyncDataplane(draw(st.sampled_from([None, frontend])), draw(st.booleans()), draw(st.booleans())),
        ReloadConfig(force=draw(st.booleans())),
    ]
    return draw(st.sampled_from(every))


verdicts = st.builds(lambda name, passed: ("verdict", name, passed), names, st.booleans())
tampering = st.builds(lambda at, weight: ("tamper", at, weight), st.integers(0, 5), st.integers(0, 10))
events = st.one_of(
    verdicts,
    verdicts,
    verdicts,
    st.just(("sync",)),
    st.just(("sync",)),
    st.builds(lambda command: ("command", command), commands()),
    st.builds(lambda config: ("reload", config), configs()),
    tampering,
    st.just(("refuse",)),
    st.just(("lost",)),
    st.just(("warm",)),
)
planted = st.dictionaries(
    st.sampled_from([FOREIGN, VipKey(ip_address("10.9.0.1"), IPProtocol.TCP, 80)]),
    st.builds(
        lambda length, servers: VipState(
            VipAttributes(Encap.GRE4, length), {IPv4Address(f"10.1.0.{n}"): ServerState(w) for n, w in servers.items()}
        ),
        st.sampled_from([64, 256]),
        st.dictionaries(st.integers(1, 5), st.integers(0, 10), max_size=3),
    ),
)


# --- the daemon's parts, without their tasks ----------------------------------------------------------------------


@attrs.define
class DirectReconciler:
    """Makes the sync runs that the reconciler makes, at once."""

    store: Any
    session: Any
    observe: bool = False
    detail: str = "gone"

    async def settle(self, request: SyncRequest) -> SyncOutcome:
        if self.session is None:
            raise self.not_connected()
        return (await SyncRun(self.store).run(self.session, request)).outcome()

    def not_connected(self, why: str = "") -> NotConnected:
        return NotConnected(why or self.detail)


@attrs.define
class Parts:
    """One daemon and its dataplane."""

    memory: MemoryStore
    control: Any
    reconciler: DirectReconciler
    execution: Live
    unseen: bool = False
    """Whether somebody else has written since the dataplane was read: weights of theirs cannot be known."""

    async def command(self, command: Command) -> CommandResult | CommandError:
        try:
            return await carry_out(command, self.execution, self.control.configuration)
        except CommandError as error:
            return error

    async def preview(self, command: Command) -> Preview | CommandError:
        try:
            return await self.control.previews.preview(command)  # type: ignore[no-any-return]
        except CommandError as error:
            return error

    def verdict(self, name: str, *, passed: bool) -> None:
        state: State = self.control.state
        backend = state.config.backends.get(name)
        if backend is not None and backend.rule is not None:
            self.control.store.step(verdict, name, PASS if passed else FAIL, passed=passed)

    async def happen(self, event: tuple[Any, ...]) -> None:
        match event:
            case ("verdict", name, passed):
                self.verdict(name, passed=passed)
            case ("sync",):
                await self.synced()
            case ("command", command):
                await self.command(command)
            case ("reload", config):
                self.control.configuration.read_from(config)
                await self.command(ReloadConfig(force=True))
            case ("tamper", at, weight):
                servers = [(key, server) for key, vip in sorted(self.memory.vips.items()) for server in vip.servers]
                if servers:
                    vip, server = servers[at % len(servers)]
                    self.memory.write(SetWeight(vip, server, weight))
                    self.unseen = True
            case ("refuse",):
                self.memory.faults.refuse(matching=lambda operation: isinstance(operation, SetWeight))
                await self.synced()
                self.memory.faults.clear()
            case ("lost",):
                self.reconciler.session = None
            case _:
                self.control.store.step(warm_up_tick, self.control.state.warm.started_ns + WARM_UP_NS)

    async def synced(self) -> None:
        if self.reconciler.session is not None:
            await self.reconciler.settle(SyncRequest("periodic", reread=True))
            self.unseen = False


async def opened(config: Config, memory: MemoryStore, session: Any) -> Parts:
    settings = Settings(config, PLUGINS, MemoryDataplane(store=memory))
    overrides = OverrideStore(None)
    overrides.load()
    loaded = check_config(config, PLUGINS)
    checkers = await build_beside(PLUGINS.checkers, loaded.config.healthchecks, {}, lambda _: None)
    control = Controller(settings, loaded, overrides, checkers).control
    reconciler: Any = DirectReconciler(control.store, session)
    control.store.step(dataplane_connected, 1, restarted=False)
    await SyncRun(control.store).read(session)
    execution = Live(control.store, overrides, control.configuration, control.jobs, reconciler)
    previews = type(control.previews)(control.store, control.configuration, reconciler, control.previews._tables)
    control = attrs.evolve(control, reconciler=reconciler, previews=previews)
    return Parts(memory, control, reconciler, execution)


# --- what is compared ---------------------------------------------------------------------------------------------


@attrs.frozen
class Seen:
    """What can be seen at one moment."""

    weights: dict[str, dict[str, int]]
    buckets: dict[VipKey, dict[Any, int | None]]
    frontends: dict[str, tuple[Any, ...]]
    backends: dict[str, BackendState]
    vips: dict[str, VipKey]

    @classmethod
    async def of(cls, parts: Parts) -> Seen:
        state: State = parts.control.state
        weights: dict[str, dict[str, int]] = {}
        for name, assessment in state.assessments.items():
            effective = weights[name] = {}
            for member in assessment.members:
                effective[member.backend] = max(member.weight, effective.get(member.backend, 0))
        held = await parts.memory.traffic.with_details(parts.memory.vips, entries=False)
        return cls(
            weights,
            {key: {a: s.buckets for a, s in vip.servers.items()} for key, vip in held.items()},
            {name: (a.state, a.active_pool) for name, a in state.assessments.items()},
            {name: health.state for name, health in state.health.items()},
            {name: spec.vip for name, spec in state.frontends.items()},
        )


async def hold_against(parts: Parts, command: Command) -> None:
    """Preview a command, carry it out, and compare."""
    known = parts.reconciler.session is not None and (
        not parts.unseen or isinstance(command, SyncDataplane) or not parts.control.state.dataplane.known
    )
    told = await parts.preview(command)
    before, written = await Seen.of(parts), len(parts.memory.journal)
    done = await parts.command(command)
    if isinstance(told, CommandError) or isinstance(done, CommandError):
        assert (type(told), str(told)) == (type(done), str(done))
        assert await Seen.of(parts) == before
        return
    assert told.messages == (*done.messages, *done.errors)
    await first_probe_passes(parts, command, before)
    after = await Seen.of(parts)
    operations = [entry.operation for entry in list(parts.memory.journal)[written:]]
    assert told.operations == tuple(map(describe, operations))
    assert {b.backend: (b.before, b.after) for b in told.backends} == {
        name: (before.backends.get(name), after.backends.get(name))
        for name in {**after.backends, **before.backends}
        if before.backends.get(name) is not after.backends.get(name)
    }
    compare_frontends(told, before, after, operations, known=known)


async def first_probe_passes(parts: Parts, command: Command, before: Seen) -> None:
    """A command that puts a backend to unknown is foretold as if its first probe passed."""
    name = getattr(command, "backend", None)
    if name is None or isinstance(command, SetFrontendPoolBackendWeight | ResetFrontendPoolBackendWeight):
        return
    state: State = parts.control.state
    if state.health[name].state is BackendState.UNKNOWN and before.backends[name] is not BackendState.UNKNOWN:
        parts.verdict(name, passed=True)
        addresses = {state.frontends[user].vip.address for user in state.users.get(name, ())}
        if addresses and parts.reconciler.session is not None:
            await parts.reconciler.settle(SyncRequest("transition", tuple(addresses)))


def compare_frontends(told: Preview, before: Seen, after: Seen, operations: Sequence[Any], *, known: bool) -> None:
    previews = {preview.frontend: preview for preview in told.frontends}
    for name in {**after.vips, **before.vips}:
        if name not in previews:
            assert before.weights.get(name) == after.weights.get(name)
            assert before.frontends.get(name) == after.frontends.get(name)
            if known:
                assert before.buckets.get(before.vips[name]) == after.buckets.get(after.vips[name])
            continue
        preview = previews[name]
        for side, seen in ((preview.before, before), (preview.after, after)):
            assert side.weights == seen.weights.get(name, {})
            assert (side.state, side.active_pool) == seen.frontends.get(name, (None, ""))
            if known and name in seen.vips:
                assert side.buckets == seen.buckets.get(seen.vips[name], {})
        vips = {seen.vips[name] for seen in (before, after) if name in seen.vips}
        mine = [o for o in operations if not isinstance(o, SetConf) and o.vip in vips]
        assert preview.operations == tuple(map(describe, mine))
        flushed = tuple(o.server for o in mine if isinstance(o, SetWeight | DeleteServer) and o.flush)
        assert preview.flushed == flushed
        assert 0 <= preview.moved <= 1


@pytest.mark.timeout(1800)
@settings(max_examples=EXAMPLES)
@given(config=configs(), vips=planted, history=st.lists(events, max_size=8), command=commands(), new=configs())
def test_what_a_preview_says_is_what_happens(
    config: Config, vips: dict[VipKey, VipState], history: list[tuple[Any, ...]], command: Command, new: Config
) -> None:
    async def example() -> None:
        memory = MemoryStore()
        for key, vip in vips.items():
            memory.add_foreign_vip(key, vip)
        async with memory.session() as session:
            parts = await opened(config, memory, session)
            try:
                for event in history:
                    await parts.happen(event)
                parts.control.configuration.read_from(new)
                await hold_against(parts, command)
            finally:
                await parts.control.jobs.aclose()

    asyncio.run(example())
