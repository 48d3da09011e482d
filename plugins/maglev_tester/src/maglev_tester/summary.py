"""The end of every run: the summary on standard output, and the exit status."""

from __future__ import annotations

import json

import click

from maglev_tester.json_summary import summary
from maglev_tester.results import Results
from maglev_tester.text_summary import text


def show(results: Results, output: str, min_ok: float) -> int:
    """Print the summary.

    Args:
        results: The run.
        output: `text` or `json`.
        min_ok: What share of good probes is wanted of each VIP, 0 to 100.

    Returns:
        The exit status: 1 if a VIP was good less often, else 0.
    """
    as_json = output == "json"
    click.echo(json.dumps(summary(results, min_ok), indent=2) if as_json else text(results, min_ok))
    return 1 if results.below(min_ok) else 0
