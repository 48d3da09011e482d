"""Runs the screen here and the probes in a process beside it, and ends both in good order."""

from __future__ import annotations

import anyio
import click

from maglev_tester.board import Board
from maglev_tester.elsewhere import Elsewhere, ProberDied, probing_elsewhere
from maglev_tester.plan import Plan
from maglev_tester.screen.app import VipsApp
from maglev_tester.vips import LeftOut


def run_screen(plan: Plan, left_out: tuple[LeftOut, ...], duration_s: float | None) -> Board:
    """Show the screen until somebody leaves it, and return what was seen.

    Args:
        plan: What and how.
        left_out: What is not probed.
        duration_s: Leave after so many seconds; `None`: never.

    Raises:
        click.ClickException: The probing process ended by itself. The terminal is as it was.
    """
    board = Board(plan, left_out)
    try:
        anyio.run(_show, board, duration_s)
    except* ProberDied as died:
        raise click.ClickException(f"the probing process ended: {died.exceptions[0]}") from died
    return board


async def _show(board: Board, duration_s: float | None) -> None:
    async with probing_elsewhere(board.plan) as elsewhere, anyio.create_task_group() as tasks:
        app = VipsApp(board, elsewhere.say, duration_s)
        tasks.start_soon(_listen, elsewhere, app)
        await app.run_until_left()
        tasks.cancel_scope.cancel()


async def _listen(elsewhere: Elsewhere, app: VipsApp) -> None:
    try:
        await elsewhere.listen(app.take)
    except ProberDied:
        # The terminal first: what is raised here would cancel the screen in the midst of its work.
        app.exit()
        await app.left.wait()
        raise
