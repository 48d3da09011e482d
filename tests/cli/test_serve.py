"""Exporters, reloads of their options, the watchdog, permissions."""

from __future__ import annotations

import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import anyio
import attrs
import pytest

from maglev.api import Control, Dataplane, Exporter, Reload, option
from maglev.cli import daemon, permissions
from maglev.cli.options import Invocation
from maglev.cli.watchdog import feed_watchdog
from maglev.config import load_text
from maglev.dataplanes.memory import MemoryDataplane
from maglev.library import installed
from maglev.plugin import PluginManager, hookimpl
from maglev.runtime import LiveControl, Settings, open_controller
from maglev.runtime.notify import Notifier
from tests.probing.test_netns import ip, permitted

needs_netns = pytest.mark.skipif(not permitted(), reason="no network namespace can be made here")


@attrs.frozen
class RecorderOptions:
    addr: str = option(":1", help="Where it listens", reload=Reload.RESTART)
    token: str = option("", help="What it asks for")


class Recorder(Exporter):
    """Records what happens to it."""

    name = "recorder"
    Options = RecorderOptions
    seen: ClassVar[list[Any]] = []

    async def serve(self, control: Control, ready: Callable[[], None]) -> None:
        self.seen.append(("serve", self.options.token))
        ready()
        try:
            await anyio.sleep_forever()
        finally:
            self.seen.append("cancelled")

    async def reload(self, options: Any) -> Sequence[str]:
        self.seen.append(("reload", options))
        return ()


class Watcher(Exporter):
    """Reads events, and notes that its stream was ended before it was cancelled."""

    name = "watcher"
    subscribed: ClassVar[bool] = False

    async def serve(self, control: Control, ready: Callable[[], None]) -> None:
        from maglev.api import EventFilter

        async with control.subscribe(EventFilter()) as subscription:
            Watcher.subscribed = True
            ready()
            async for _ in subscription.events:
                pass
        Recorder.seen.append("stream ended")
        await anyio.sleep_forever()


class Broken(Exporter):
    """Cannot even say whether it has anything to serve."""

    name = "broken"

    @property
    def enabled(self) -> bool:
        raise RuntimeError("no")

    async def serve(self, control: Control, ready: Callable[[], None]) -> None:
        raise NotImplementedError


class Plugin:
    def __init__(self, *exporters: type[Exporter]) -> None:
        self.exporters = exporters

    @hookimpl
    def maglev_dataplanes(self) -> Iterable[type[Dataplane]]:
        return (MemoryDataplane,)

    @hookimpl
    def maglev_exporters(self) -> Iterable[type[Exporter]]:
        return self.exporters


class Running:
    """A daemon in this process."""

    def __init__(self, controller: LiveControl, file: Path, send: Callable[[signal.Signals], None]) -> None:
        self.controller = controller
        self.file = file
        self.send = send


@asynccontextmanager
async def serving(file: Path, *exporters: type[Exporter]) -> AsyncIterator[Running]:
    """Run the daemon's inner part on signals of our own."""
    Recorder.seen.clear()
    plugins = PluginManager((Plugin(*exporters),), entry_points=(), environ={})
    send, signals = anyio.create_memory_object_stream[signal.Signals](10)
    with send, signals:
        settings = Settings(source=file, plugins=plugins)
        async with open_controller(settings) as controller, anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.serve, controller, Invocation(plugins), signals, Notifier(), lambda: None)
            yield Running(controller, file, send.send_nowait)
            send.send_nowait(signal.SIGTERM)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    while not condition():  # noqa: ASYNC110 - what is waited for sets no event
        await anyio.sleep(0.005)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "maglev.yaml"
    path.write_text("maglev: {}")
    return path


@pytest.fixture(autouse=True)
def _interrupt_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


async def test_every_installed_exporter_runs_and_a_broken_one_hurts_nobody(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(file, Broken, Recorder):
        await until(lambda: Recorder.seen == [("serve", "")])
    assert Recorder.seen[-1] == "cancelled"
    assert "exporter-not-made" in [record.getMessage() for record in caplog.records]


async def test_a_reload_hands_over_what_changed_and_keeps_what_needs_a_restart(file: Path) -> None:
    async with serving(file, Recorder) as running:
        await until(lambda: bool(Recorder.seen))
        await anyio.Path(file).write_text("maglev: {exporters: {recorder: {addr: ':2', token: new}}}")
        running.send(signal.SIGHUP)
        await until(lambda: len(Recorder.seen) == 2)
    assert Recorder.seen[1] == ("reload", RecorderOptions(":1", "new"))


async def test_every_reload_reaches_the_exporters_since_a_certificate_may_be_new_behind_its_path(file: Path) -> None:
    async with serving(file, Recorder) as running:
        await until(lambda: bool(Recorder.seen))
        await anyio.Path(file).write_text("maglev: {backends: {a: {address: 192.0.2.1}}}")
        running.send(signal.SIGHUP)
        await until(lambda: len(Recorder.seen) > 1)
        assert "a" in running.controller.snapshot().backends
    assert Recorder.seen == [("serve", ""), ("reload", RecorderOptions()), "cancelled"]


async def test_event_streams_are_ended_before_exporters_are(file: Path) -> None:
    Watcher.subscribed = False
    async with serving(file, Watcher, Recorder):
        await until(lambda: bool(Recorder.seen) and Watcher.subscribed)
    assert Recorder.seen == [("serve", ""), "stream ended", "cancelled"]


class Loop:
    """A probing loop that is as late as a test wants."""

    def __init__(self, *overdue_s: float) -> None:
        self._overdue_s = list(overdue_s)

    def overdue_ns(self) -> int:
        return int(self._overdue_s.pop(0) * 1e9)


async def test_the_watchdog_is_fed_only_while_the_probing_loop_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waits: list[float] = []

    async def sleep(delay_s: float) -> None:
        waits.append(delay_s)
        if len(waits) == 3:
            raise TimeoutError

    monkeypatch.setattr(anyio, "sleep", sleep)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as manager:
        manager.bind(str(tmp_path / "notify"))
        notifier = Notifier(manager.getsockname(), 30.0)
        with pytest.raises(TimeoutError):
            await feed_watchdog(Loop(0.0, 16.0, 1.0).overdue_ns, notifier)
        assert [manager.recv(100), manager.recv(100)] == [b"WATCHDOG=1", b"WATCHDOG=1"]
        with pytest.raises(BlockingIOError):
            manager.recv(100)
    assert waits == [10.0, 10.0, 10.0]
    assert [record.getMessage() for record in caplog.records] == ["probing-stopped"]


async def test_without_a_watchdog_there_is_nothing_to_feed() -> None:
    await feed_watchdog(Loop().overdue_ns, Notifier("/nowhere"))


PING = "maglev: {healthchecks: {alive: {type: icmp}}, backends: {a: {address: 192.0.2.1, healthcheck: alive}}}"


def test_missing_raw_sockets_are_named_only_where_a_check_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = installed()
    monkeypatch.setattr(permissions, "_can_open", lambda _kind: False)
    lacks = permissions.missing_permissions(load_text(PING, plugins).config, plugins.checkers)
    assert len(lacks) == 1
    assert "health checks alive" in lacks[0]
    assert "CAP_NET_RAW" in lacks[0]
    assert permissions.missing_permissions(load_text("maglev: {}", plugins).config, plugins.checkers) == ()


def test_open_ping_sockets_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = installed()
    monkeypatch.setattr(permissions, "_can_open", lambda kind: kind == socket.SOCK_DGRAM)
    assert permissions.missing_permissions(load_text(PING, plugins).config, plugins.checkers) == ()


def test_a_namespace_that_cannot_be_entered_is_named() -> None:
    plugins = installed()
    config = load_text("maglev: {healthchecker: {netns: of-nobody}}", plugins).config
    (lack,) = permissions.missing_permissions(config, plugins.checkers)
    assert lack.startswith("network namespace of-nobody: ")


NET_RAW = 13  # <linux/capability.h>


@needs_netns
class TestPermissionsWhereProbesRun:
    """`net.ipv4.ping_group_range` is a setting of each namespace, and a new one has it closed."""

    pytestmark = pytest.mark.netns

    @pytest.fixture
    def name(self) -> Iterator[str]:
        name = f"maglev-test-{secrets.token_hex(4)}"
        ip("netns", "add", name)
        yield name
        ip("netns", "del", name)

    @pytest.fixture
    def lacks(self, name: str, without: Any) -> Callable[..., tuple[str, ...]]:
        """What is missing for a ping in the namespace to a process without CAP_NET_RAW."""

        def look(check: str = "{type: icmp}") -> tuple[str, ...]:
            plugins = installed()
            checks = f"{{alive: {check}, up: {{type: tcp, port: 1}}}}"
            text = f"maglev: {{healthchecker: {{netns: {name}}}, healthchecks: {checks}}}"
            with without(NET_RAW):
                return permissions.missing_permissions(load_text(text, plugins).config, plugins.checkers)

        return look

    def open_ping_sockets(self, name: str) -> None:
        ip("netns", "exec", name, "sh", "-c", "echo 0 2147483647 > /proc/sys/net/ipv4/ping_group_range")

    def test_sockets_that_are_refused_there_are_named(self, name: str, lacks: Callable[..., tuple[str, ...]]) -> None:
        (lack,) = lacks()
        assert lack.startswith(f"health checks alive: no raw sockets in network namespace {name} (CAP_NET_RAW")

    def test_ping_sockets_that_are_allowed_there_are_enough(
        self, name: str, lacks: Callable[..., tuple[str, ...]]
    ) -> None:
        self.open_ping_sockets(name)
        assert lacks() == ()

    def test_ping_sockets_are_not_enough_for_a_source_over_ipv6(
        self, name: str, lacks: Callable[..., tuple[str, ...]]
    ) -> None:
        self.open_ping_sockets(name)
        (lack,) = lacks("{type: icmp, probe-ipv6-src: 'fd00::1'}")
        assert "probe-ipv6-src" in lack
        assert lacks("{type: icmp, probe-ipv4-src: 192.0.2.1}") == ()

    def test_a_process_with_the_capability_lacks_nothing(self, name: str) -> None:
        plugins = installed()
        config = load_text(
            f"maglev: {{healthchecker: {{netns: {name}}}, healthchecks: {{alive: {{type: icmp}}}}}}", plugins
        )
        assert permissions.missing_permissions(config.config, plugins.checkers) == ()
