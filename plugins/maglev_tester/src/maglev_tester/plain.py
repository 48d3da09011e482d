"""A run without a screen: probe until the time is up, all is probed, or a signal comes."""

from __future__ import annotations

import signal

import anyio

from maglev_tester.board import Board
from maglev_tester.plan import Plan
from maglev_tester.runner import Runner
from maglev_tester.vips import LeftOut


def run_plain(plan: Plan, left_out: tuple[LeftOut, ...], duration_s: float | None) -> Board:
    """Probe, and return what came of it. Ctrl-C and SIGTERM end the run, and what was seen so far is kept.

    Args:
        plan: What and how.
        left_out: What is not probed.
        duration_s: For how many seconds; `None` until all is probed, or a signal comes.
    """
    board = Board(plan, left_out)
    anyio.run(_probe, board, duration_s)
    return board


async def _probe(board: Board, duration_s: float | None) -> None:
    runner = Runner(board.plan, board.add)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_stop_on_signal, tasks.cancel_scope)
        with anyio.move_on_after(duration_s):
            await runner.run()
        tasks.cancel_scope.cancel()


async def _stop_on_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            # Who asks twice does not want the summary.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            return
