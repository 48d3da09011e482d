"""`maglevd-frontend` itself: options, environment, exit statuses."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import anyio
import click

from maglev.logs import logging_to_standard_error
from maglev.shell_completion import answered, completion_option
from maglev.single_dash import SingleDashCommand, version_option
from maglev.standard_streams import open_missing
from maglev_web.options import Settings, options
from maglev_web.serve import serve


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point of `maglevd-frontend`."""
    open_missing()
    made = command()
    if not answered(made):
        made.main(None if arguments is None else list(arguments), prog_name="maglevd-frontend")


def command() -> click.Command:
    """Build the command."""
    return SingleDashCommand(
        "maglevd-frontend",
        callback=_start,
        params=[*options(), completion_option("maglevd-frontend"), version_option("maglevd-frontend")],
        help="Serve a web page that shows one or more running maglevds: /view/ for everybody and, if "
        "MAGLEV_FRONTEND_USER and MAGLEV_FRONTEND_PASSWORD are set, /admin/ with commands.",
        epilog="You can write long options with one dash too. Exit status: 0 after SIGTERM or SIGINT, 1 for an "
        "error, 2 for a wrong command line.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def _start(**values: Any) -> None:
    try:
        settings = Settings.parsed(values, os.environ)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    problems: list[BaseException] = []
    try:
        with logging_to_standard_error(settings.log_level, audit=settings.audit_log):
            anyio.run(serve, settings)
    except* (OSError, ValueError) as group:
        problems += leaves(group)
    for problem in problems:
        click.echo(f"maglevd-frontend: {problem}", err=True)
    if problems:
        sys.exit(1)


def leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """The exceptions in a group, and in the groups in it."""
    for one in group.exceptions:
        if isinstance(one, BaseExceptionGroup):
            yield from leaves(one)
        else:
            yield one
