"""Runs the daemon: the controller, its exporters, signals, and messages to the service manager.

SIGHUP reloads. SIGUSR1 and SIGUSR2, by which log rotation asks others to open their files anew, change nothing. SIGTERM
and SIGINT end event streams and exporters, and leave the dataplane as it is. A second SIGINT ends the process at once.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit

import anyio
import anyio.abc
import attrs
import click

from maglev.api import Actor, CommandError, ReloadConfig
from maglev.build import this_build
from maglev.cli import hangup
from maglev.cli.exporters import running_exporters
from maglev.cli.options import Invocation
from maglev.cli.permissions import missing_permissions
from maglev.cli.watchdog import feed_watchdog
from maglev.config import ConfigError
from maglev.descriptors import LEAST, raise_limit, reserve
from maglev.logs import AuditError, LogOutput, logging_to_standard_error
from maglev.runtime import LiveControl, Settings, StateError, Supervisor, open_controller
from maglev.runtime.logging import get_logger
from maglev.runtime.notify import Notifier

READY_WITHIN_S = 10.0
"""How long to wait for the exporters: one that keeps crashing must not keep the daemon from being ready."""
STREAMS_END_WITHIN_S = 2.0
SHUTDOWN_DEADLINE_S = 10.0
SETTLED_AFTER_S = 90.0
"""When memory no longer grows: the warm-up is over, and Prometheus has scraped."""

SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)
_SIGNAL = Actor("maglevd", "signal", why="SIGHUP")

log = get_logger("maglev.daemon")


def run(invocation: Invocation) -> int:
    """Run the daemon until a signal stops it.

    Returns:
        The exit status: 0 when stopped by a signal, 1 or 2 when the configuration is refused, 1 for any other failure.
    """
    if invocation.uvloop and find_spec("uvloop") is None:
        click.echo("maglevd: --uvloop: uvloop is not installed (pip install 'maglevd[uvloop]')", err=True)
        return 1
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)  # until the loop takes them, and in worker processes
    this_build()  # asks git in a checkout, which must not happen under the event loop
    try:
        with logging_to_standard_error(
            invocation.log_level, invocation.log_format, audit=invocation.audit_log
        ) as output:
            return anyio.run(_guarded, invocation, output, backend_options={"use_uvloop": invocation.uvloop})
    except AuditError as error:
        click.echo(f"maglevd: {error}", err=True)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


async def _guarded(invocation: Invocation, output: LogOutput) -> int:
    settings = Settings(
        source=invocation.config,
        plugins=invocation.plugins,
        flag_values=invocation.flag_values,
        state_dir=invocation.state_dir,
        observe=invocation.observe,
    )
    descriptors = raise_limit()
    try:
        with anyio.open_signal_receiver(*SIGNALS) as signals, hangup.taken(), _deadline(output) as stopping:
            async with open_controller(settings) as controller:
                _freeze()
                _log_start(invocation, controller, descriptors)
                await serve(controller, invocation, signals, Notifier.from_environment(), stopping)
    except ConfigError as error:
        for problem in error.problems:
            log.error("config-invalid", problem=str(problem))  # noqa: TRY400 - it says all there is
        return error.status
    except StateError as error:
        log.error("state-unreadable", error=str(error))  # noqa: TRY400 - likewise
        return 1
    except Exception:
        log.critical("crashed", exc_info=True)
        return 1
    log.info("stopped")
    return 0


def _freeze() -> None:
    """Exclude everything that is alive now from garbage collection.

    A full collection visits every object. With thousands of backends it blocks the loop for a tenth of a second and
    more. What is alive after loading stays alive, so nothing in it could be collected.
    """
    gc.collect()
    gc.freeze()


async def _freeze_later() -> None:
    # By now every backend was probed and every exporter was used: what that created stays alive as well.
    await anyio.sleep(SETTLED_AFTER_S)
    gc.freeze()


async def _follow_reloads(controller: LiveControl) -> None:
    async for _config in controller.configuration.changes():
        # Without a collection first, which would delay probes; the few cycles there are stay in memory.
        gc.freeze()
        _warn_if_short(controller, getrlimit(RLIMIT_NOFILE)[0])


def _log_start(invocation: Invocation, controller: LiveControl, descriptors: tuple[int, int]) -> None:
    build = this_build()
    log.info(
        "started",
        version=build.version,
        commit=build.commit,
        config=str(invocation.config),
        dataplane=controller.reconciler.dataplane.name,
        frontends=len(controller.config.frontends),
        backends=len(controller.config.backends),
        observe=invocation.observe,
    )
    log.info("descriptors", was=descriptors[0], limit=descriptors[1])
    _warn_if_short(controller, descriptors[1])
    for problem in invocation.plugins.problems:
        log.warning("plugin-not-loaded", problem=str(problem))
    for warning in controller.configuration.loaded.warnings:
        log.warning("config-warning", problem=str(warning))
    for lack in missing_permissions(controller.config, invocation.plugins.checkers):
        log.warning("permission-missing", problem=lack)


class _Asked:
    """Whether a reload was asked for since the last one began: many signals in a row ask for one."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def ask(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()
        self._event = anyio.Event()


def _warn_if_short(controller: LiveControl, limit: int) -> None:
    probed = sum(backend.probe is not None for backend in controller.state.config.backends.values())
    needed = reserve(probed) + LEAST
    if limit != RLIM_INFINITY and limit < needed:
        log.error("descriptors-short", limit=limit, needed=needed, backends=probed, hint="raise LimitNOFILE=")


@attrs.frozen
class _Daemon:
    controller: LiveControl
    notifier: Notifier

    @property
    def status(self) -> str:
        """One line for `systemctl status`."""
        config = self.controller.config
        names = {"reload": "the last reload was refused", "state": "changes are not saved"}
        troubles = [
            f"{names.get(one.kind, f'exporter {one.name}')}: {one.message}"
            for one in self.controller.configuration.troubles.now
        ]
        return "; ".join((f"{len(config.frontends)} frontends, {len(config.backends)} backends", *troubles))

    async def report_ready(self, exporters: Supervisor) -> None:
        """Report readiness to the service manager once the exporters are ready, and from then on what is wrong."""
        late = await exporters.ready(READY_WITHIN_S)
        for name in late:
            log.warning("exporter-not-ready", exporter=name, after_s=READY_WITHIN_S)
        log.info("ready", exporters=exporters.names)
        told = self.status
        self.notifier.ready(told)
        async for _troubles in self.controller.configuration.troubles.changes():
            if self.status != told:
                told = self.status
                self.notifier.status(told)

    async def reload_when(self, asked: _Asked) -> None:
        """Reload each time it is asked for, one after the other."""
        while True:
            await asked.wait()
            await self.reload()

    async def reload(self) -> None:
        """Reload the configuration file, or log why it is refused."""
        self.notifier.reloading()
        try:
            result = await self.controller.command(ReloadConfig(), _SIGNAL)
        except CommandError as refusal:
            log.error("reload-refused", why=str(refusal))  # noqa: TRY400 - it says all there is
        except Exception:
            log.exception("reload-failed")
        else:
            log.info("reloaded", changed=result.changed, messages=result.messages, errors=result.errors)
        self.notifier.ready(self.status)


async def serve(
    controller: LiveControl,
    invocation: Invocation,
    signals: AsyncIterator[signal.Signals],
    notifier: Notifier,
    stopping: Callable[[], None],
) -> None:
    """Run exporters, watchdog and reloads until a signal stops them.

    `signals` gives `SIGNALS` as they come; `stopping` is called once, when the daemon starts to stop.
    """
    daemon = _Daemon(controller, notifier)
    async with anyio.create_task_group() as tasks:
        with running_exporters(controller, invocation.plugins.exporters, tasks) as exporters:
            tasks.start_soon(daemon.report_ready, exporters)
            tasks.start_soon(feed_watchdog, controller.jobs.prober.overdue_ns, notifier)
            tasks.start_soon(_freeze_later)
            tasks.start_soon(_follow_reloads, controller)
            tasks.start_soon(daemon.reload_when, reloads := _Asked())
            await _until_stopped(signals, reloads.ask)
        stopping()
        notifier.stopping()
        controller.bus.close()
        with anyio.move_on_after(STREAMS_END_WITHIN_S):
            await controller.bus.drained()
        tasks.cancel_scope.cancel()


async def _until_stopped(signals: AsyncIterator[signal.Signals], reload: Callable[[], object]) -> None:
    async for number in signals:
        if number is signal.SIGHUP:
            reload()
            continue
        if number in (signal.SIGUSR1, signal.SIGUSR2):
            log.info("signal-ignored", signal=number.name)
            continue
        # A second SIGINT ends the process at once.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        log.info("stopping", signal=number.name)
        return


@contextmanager
def _deadline(output: LogOutput) -> Iterator[Callable[[], None]]:
    """Give a function that starts a timer; if the context is still running when it ends, the process exits."""
    timer = threading.Timer(SHUTDOWN_DEADLINE_S, _exit_now, [output])
    timer.daemon = True
    try:
        yield timer.start
    finally:
        timer.cancel()


def _exit_now(output: LogOutput) -> None:
    log.warning("stopped-by-deadline", after_s=SHUTDOWN_DEADLINE_S)
    output.close()
    os._exit(0)
