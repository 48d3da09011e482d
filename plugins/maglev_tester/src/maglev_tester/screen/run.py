"""Runs the screen here and the probes in a process beside it, and ends both in good order."""

from __future__ import annotations

import anyio
import click

from maglev_tester.probe_process import ProbeProcess, ProbeProcessEnded, probe_process
from maglev_tester.results import Results
from maglev_tester.screen.app import VipsApp
from maglev_tester.settings import ProbeSettings
from maglev_tester.vips import LeftOut


def run_screen(settings: ProbeSettings, left_out: tuple[LeftOut, ...], duration_s: float | None) -> Results:
    """Show the screen until somebody leaves it, or so many seconds have passed, and return what was seen.

    Raises:
        click.ClickException: The probing process ended by itself. The terminal is as it was.
    """
    results = Results(settings, left_out)
    try:
        anyio.run(_show, results, duration_s)
    except* ProbeProcessEnded as died:
        raise click.ClickException(f"the probing process ended: {died.exceptions[0]}") from died
    return results


async def _show(results: Results, duration_s: float | None) -> None:
    async with probe_process(results.settings) as process, anyio.create_task_group() as tasks:
        app = VipsApp(results, process.send, duration_s)
        tasks.start_soon(_receive, process, app)
        await app.run_until_left()
        tasks.cancel_scope.cancel()


async def _receive(process: ProbeProcess, app: VipsApp) -> None:
    try:
        await process.receive(app.take)
    except ProbeProcessEnded:
        # The terminal first: what is raised here would cancel the screen in the midst of its work.
        app.exit()
        await app.left.wait()
        raise
