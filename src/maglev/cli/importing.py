"""`maglevd import`: prints a configuration made of files of keepalived or HAProxy, and what was not carried over."""

from __future__ import annotations

import glob
import os
import socket
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import click

from maglev.cli.options import Invocation
from maglev.config.values import address as vip_address
from maglev.config.values import server_address
from maglev.migrate import Format, Imported, Outside, detect, import_text
from maglev.migrate.bounds import MAX_CHARACTERS
from maglev.migrate.model import Address
from maglev.terminal_text import escaped

_MOST_FILES = 1000


class _UnreadableError(Exception):
    """A file cannot be read."""


def run(
    invocation: Invocation,
    files: Sequence[str],
    *,
    source_format: Format | None,
    vips: Sequence[str],
    config_id: str,
    resolve: bool,
) -> int:
    """Import files; print the configuration on standard output, and the findings on standard error.

    Args:
        invocation: Names the plugins.
        files: Files or folders; `-` is standard input.
        source_format: Whose they are; `None` to find out.
        vips: The addresses that stand for all addresses of a host.
        config_id: keepalived's option `-i`.
        resolve: Whether to look up names of servers.

    Returns:
        0: a configuration was printed. 1: a file cannot be read, its format is not known, or nothing in it can be
        carried over. 2: an option has a wrong value.
    """
    try:
        addresses = tuple(vip_address(text) for text in vips)
    except ValueError as error:
        click.echo(f"maglevd import: --vip: {error}", err=True)
        return 2
    try:
        texts = _texts(files)
    except _UnreadableError as error:
        click.echo(f"maglevd import: {escaped(str(error))}", err=True)
        return 1
    found = source_format or detect("\n".join(text for _, text in texts))
    if found is None:
        message = "neither keepalived's nor HAProxy's, or both: say it by --from keepalived or --from haproxy"
        click.echo(f"maglevd import: {escaped(texts[0][0])}: {message}", err=True)
        return 1
    outside = Outside(addresses, _look_up if resolve else _no_look_up, config_id, os.environ, _include)
    imported = import_text(texts, found, invocation.plugins, outside, command=_command(found, files, vips))
    return _tell(imported, texts[0][0])


def _tell(imported: Imported, file: str) -> int:
    for finding in imported.findings:
        click.echo(str(finding), err=True)
    for message in imported.to_install:
        click.echo(f"to be installed: {message}", err=True)
    pending = f", {imported.pending} without an address in comments" if imported.pending else ""
    click.echo(
        f"{escaped(file)}: {imported.frontends} frontends{pending}, {imported.backends} backends, "
        f"{imported.healthchecks} health checks; {len(imported.findings)} findings",
        err=True,
    )
    if not imported.backends:
        return 1
    click.echo(imported.text, nl=False)
    return 0


def _command(found: Format, files: Sequence[str], vips: Sequence[str]) -> str:
    words = ["maglevd import", f"--from {found}", *(f"--vip {vip}" for vip in vips), *files]
    return " ".join(words)


def _texts(files: Sequence[str]) -> list[tuple[str, str]]:
    """Read files; of a folder those that HAProxy would read: `*.cfg`, in the order of their names."""
    found: list[tuple[str, str]] = []
    for file in files:
        if file == "-":
            found.append(("standard-input", sys.stdin.buffer.read(MAX_CHARACTERS).decode("utf-8", "replace")))
        elif Path(file).is_dir():
            inside = sorted(Path(file).glob("*.cfg"))
            if not inside:
                raise _UnreadableError(f"{file}: there is no file *.cfg in this folder")
            found += [(str(one), _text(one)) for one in inside]
        else:
            found.append((file, _text(Path(file))))
    return found


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_CHARACTERS).decode("utf-8", "replace")
    except OSError as error:
        raise _UnreadableError(f"{path}: cannot be read: {error.strerror or error}") from error


def _include(pattern: str, file: str) -> list[tuple[str, str]]:
    """Read what an `include` names: a path or pattern, relative to the folder of the file that it stands in."""
    whole = os.path.join(os.path.dirname(file), pattern)  # noqa: PTH118, PTH120 - the name is shown as it was written
    found: list[tuple[str, str]] = []
    for name in sorted(glob.glob(whole))[:_MOST_FILES]:  # noqa: PTH207 - a pattern may be absolute
        try:
            found.append((name, _text(Path(name))))
        except _UnreadableError as error:
            click.echo(f"maglevd import: {escaped(str(error))}", err=True)
    return found


def _no_look_up(_name: str) -> None:
    """Look up nothing."""


def _look_up(name: str) -> Address | None:
    """Return the first address of a name."""
    try:
        answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        return server_address(ip_address(answers[0][4][0]))
    except (OSError, ValueError, IndexError):
        return None
