"""The end of every run: the summary on standard output, and the exit status."""

from __future__ import annotations

import json

import click

from maglev_tester import report, words
from maglev_tester.board import Board


def show(board: Board, output: str, min_ok: float) -> int:
    """Print the summary.

    Args:
        board: The run.
        output: `text` or `json`.
        min_ok: What share of good probes is wanted of each VIP, 0 to 100.

    Returns:
        The exit status: 1 if a VIP was good less often, else 0.
    """
    click.echo(json.dumps(report.summary(board, min_ok), indent=2) if output == "json" else words.text(board, min_ok))
    return 1 if board.below(min_ok) else 0
