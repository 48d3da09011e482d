"""The command `maglevt`: what to probe, and in which of its ways to run."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from maglev import Config, ConfigError, load_vips
from maglev.command_line import options_of, read
from maglev.shell_completion import completion_option
from maglev.single_dash import SingleDashCommand, version_option
from maglev_tester import json_summary, text_summary
from maglev_tester.options import Options
from maglev_tester.results import Results
from maglev_tester.settings import ProbeSettings
from maglev_tester.vips import LeftOut, Vip, together

NOTHING_PROBED = 2
"""The exit status when nothing was probed: a wrong option or configuration, or no VIP is left."""

_HELP = """Probe the VIPs of maglevd from outside, all at once, and show what a client sees.

Send a GET to HTTP and HTTPS VIPs, and open a TCP connection to others. Without a terminal, or with --once or --output,
show no screen and print only the summary.

Exit status: 0; 1 if the share of good probes of a VIP is below --min-ok; 2 if nothing was probed."""


def command() -> click.Command:
    """Build the command."""
    return SingleDashCommand(
        "maglevt",
        callback=_start,
        params=[*options_of(Options), completion_option("maglevt"), version_option("maglevt")],
        help=_HELP,
        epilog="You can write long options with one dash too.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def _start(**values: Any) -> None:
    options = read(Options, values)
    vips, left_out = _vips(options.config, options.filter)
    settings = _settings(vips, options)
    once, duration, output = options.once, options.duration, options.output
    duration_s = None if duration is None else duration.total_seconds()
    on_screen = once is None and output is None and sys.stdin.isatty() and sys.stdout.isatty()
    if on_screen:
        from maglev_tester.screen.run import run_screen  # noqa: PLC0415 - textual is not needed in scripts

        results = run_screen(settings, left_out, duration_s)
    else:
        if once is None and duration is None and not sys.stdout.isatty():
            raise click.UsageError("there is no terminal for the screen: how long to probe? Give --once or --duration")
        from maglev_tester.plain import run_plain  # noqa: PLC0415 - nor is this for the screen

        results = run_plain(settings, left_out, duration_s)
    sys.exit(show(results, output or "text", options.min_ok))


def show(results: Results, output: str, min_ok: float) -> int:
    """Print the summary as `text` or `json`; returns 1 if a VIP was good less often than `min_ok` percent, else 0."""
    if output == "json":
        click.echo(json.dumps(json_summary.summary(results, min_ok), indent=2))
    else:
        click.echo(text_summary.text(results, min_ok))
    return 1 if results.below(min_ok) else 0


def _settings(vips: tuple[Vip, ...], options: Options) -> ProbeSettings:
    return ProbeSettings(
        vips,
        interval_ns=_ns(options.interval),
        timeout_ns=_ns(options.timeout),
        host=options.host,
        uri=options.uri,
        header=options.header,
        insecure=options.insecure,
        keepalive=options.keepalive,
        once=options.once or 0,
    )


def _ns(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1) * 1_000


def _vips(files: Sequence[Path], wanted: re.Pattern[str]) -> tuple[tuple[Vip, ...], tuple[LeftOut, ...]]:
    vips, left_out = together([(file.stem, _config(file)) for file in files], wanted)
    if not vips:
        click.echo(
            f"maglevt: there is no VIP to probe in {', '.join(map(str, files))}{_because(wanted, left_out)}", err=True
        )
        sys.exit(NOTHING_PROBED)
    return vips, left_out


def _because(wanted: re.Pattern[str], left_out: Sequence[LeftOut]) -> str:
    matching = f" that matches {wanted.pattern!r}" if wanted.pattern else ""
    return "".join([matching, *(f"\n  {item.name} is left out: {item.why}" for item in left_out)])


def _config(file: Path) -> Config:
    try:
        return load_vips(file)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(NOTHING_PROBED)
