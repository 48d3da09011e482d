"""`maglevd check`: prints every problem of a configuration, and exits with a status for its kind."""

from __future__ import annotations

from pathlib import Path

import click

from maglev.cli.options import Invocation


def run(invocation: Invocation, file: str | None = None) -> int:
    """Check a configuration and print what is wrong with it on standard error, and what the dataplane needs for it.

    Args:
        invocation: Names the file, and the options that win over it.
        file: Check this one instead.

    Returns:
        0: valid, perhaps with warnings. 1: a syntax or type error. 2: a semantic error, or an exporter names a file or
        an address that cannot be used.
    """
    from maglev.config import ConfigError, load
    from maglev.config.resolve import everything, resolve
    from maglev.config.serving import exporter_problems

    path = Path(file) if file is not None else invocation.config
    try:
        loaded = load(path, invocation.plugins, flag_values=invocation.flag_values)
    except ConfigError as error:
        click.echo(str(error), err=True)
        return error.status
    for warning in loaded.warnings:
        click.echo(f"{warning} (warning)", err=True)
    config = loaded.config
    if problems := exporter_problems(config, invocation.plugins):
        for problem in problems:
            click.echo(str(problem), err=True)
        return 2
    click.echo(f"{path}: valid: {len(config.frontends)} frontends, {len(config.backends)} backends")
    dataplane = invocation.plugins.dataplanes[config.dataplane](config.dataplane_options)
    if needs := dataplane.needs(everything(resolve(config))):
        click.echo(needs)
    return 0
