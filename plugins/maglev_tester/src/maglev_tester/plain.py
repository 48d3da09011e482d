"""A run without a screen: probe until the time is up, all is probed, or a signal comes."""

from __future__ import annotations

import signal

import anyio

from maglev_tester.results import Results
from maglev_tester.runner import Runner
from maglev_tester.settings import ProbeSettings
from maglev_tester.vips import LeftOut


def run_plain(settings: ProbeSettings, left_out: tuple[LeftOut, ...], duration_s: float | None) -> Results:
    """Probe for so many seconds, or until all is probed; Ctrl-C and SIGTERM end it too. Returns what was seen."""
    results = Results(settings, left_out)
    anyio.run(_probe, results, duration_s)
    return results


async def _probe(results: Results, duration_s: float | None) -> None:
    runner = Runner(results.settings, results.add)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_stop_on_signal, tasks.cancel_scope)
        with anyio.move_on_after(duration_s):
            await runner.run()
        tasks.cancel_scope.cancel()


async def _stop_on_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            # A second signal ends the run without the summary.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            return
