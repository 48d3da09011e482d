"""`maglevd state`: shows what commands changed and restarts keep, and puts a file aside that the daemon cannot read."""

from __future__ import annotations

from pathlib import Path

import click

from maglev.cli.options import Invocation
from maglev.runtime.overrides import FILE, OverrideStore, StateError, user_of


def show(directory: Path) -> int:
    """Print the overrides in a state directory, and who uses it.

    Returns:
        0, or 1 if the file cannot be read.
    """
    path = directory / FILE
    user = user_of(directory)
    click.echo(f"{directory}: used by {user}" if user else f"{directory}: not in use")
    try:
        kept = OverrideStore(directory).load()
    except StateError as error:
        click.echo(str(error), err=True)
        return 1
    click.echo(f"{path}: {len(kept.admin) + len(kept.weights)} overrides" if path.exists() else f"{path}: not there")
    for name, admin in sorted(kept.admin.items()):
        file_says = str(admin.file_enabled).lower()
        click.echo(f"backend {name!r}: {admin.admin} (the configuration said enabled: {file_says})")
    for (frontend, pool, backend), weight in sorted(kept.weights.items()):
        where = f"frontend {frontend!r}, pool {pool!r}, backend {backend!r}"
        click.echo(f"{where}: weight {weight.weight} (the configuration said {weight.file_weight})")
    return 0


def reset(directory: Path) -> int:
    """Put the file aside, under another name in the same directory, so that the next start has no overrides.

    Returns:
        0, or 1 if a daemon uses the directory or the file cannot be renamed.
    """
    store = OverrideStore(directory, "maglevd state reset")
    try:
        store.lock()
        aside = store.put_aside()
    except StateError as error:
        click.echo(str(error), err=True)
        return 1
    finally:
        store.close()
    click.echo(f"{directory / FILE}: put aside as {aside.name}" if aside else f"{directory / FILE}: not there")
    return 0


def directory_of(invocation: Invocation) -> Path:
    """The state directory.

    Raises:
        click.UsageError: There is none.
    """
    if invocation.state_dir is None:
        raise click.UsageError("there is no state directory: --state-dir is empty")
    return invocation.state_dir
