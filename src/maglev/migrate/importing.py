"""Imports a configuration of another load balancer: detects its format, reads it, and writes ours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import attrs

from maglev.config.plugins import Installed
from maglev.migrate.assemble import assemble
from maglev.migrate.bounds import Include, LookUp, no_include, no_look_up
from maglev.migrate.findings import Finding
from maglev.migrate.haproxy import read_haproxy
from maglev.migrate.keepalived import read_keepalived
from maglev.migrate.model import Address
from maglev.migrate.repair import missing_plugins, repair
from maglev.migrate.writing import write

Format = Literal["keepalived", "haproxy"]

_KEEPALIVED = re.compile(r"^[ \t]*(?:virtual_server(?:_group)?|vrrp_\w+|global_defs|real_server)\b", re.MULTILINE)
_HAPROXY = re.compile(r"^[ \t]*(?:global|defaults|frontend|backend|listen)\b(?![ \t]*\{)", re.MULTILINE)


@attrs.frozen
class Imported:
    """What an import made.

    Args:
        text: The configuration, as YAML; it is valid where the plugins that it needs are installed.
        findings: What was not carried over as it stands.
        frontends: How many there are; likewise `backends` and `healthchecks`.
        pending: Frontends that need an address; they stand in comments.
        to_install: What is missing for its health checks, in words.
    """

    text: str
    findings: tuple[Finding, ...]
    frontends: int
    backends: int
    healthchecks: int
    pending: int
    to_install: tuple[str, ...]


def detect(text: str) -> Format | None:
    """Tell whose configuration a text is; `None` if it is neither's, or looks like both."""
    keepalived, haproxy = _KEEPALIVED.search(text), _HAPROXY.search(text)
    if bool(keepalived) == bool(haproxy):
        return None
    return "keepalived" if keepalived else "haproxy"


@attrs.frozen
class Outside:
    """What a configuration may ask of the world around it.

    Args:
        vips: The addresses that stand for all addresses of a host (`bind *:80`).
        look_up: Gives the address of a server that has a name in place of one.
        config_id: keepalived's option `-i`.
        environment: What variables of the environment stand for.
        include: Gives the files that a file includes.
    """

    vips: tuple[Address, ...] = ()
    look_up: LookUp = no_look_up
    config_id: str = ""
    environment: Mapping[str, str] = attrs.field(factory=dict)
    include: Include = no_include


def import_text(
    files: Sequence[tuple[str, str]],
    source_format: Format,
    plugins: Installed,
    outside: Outside | None = None,
    *,
    command: str = "maglevd import",
) -> Imported:
    """Import files. Whatever stands in them, this raises nothing.

    Args:
        files: Name and text of each, in the order in which they are read.
        source_format: Whose they are.
        plugins: What is installed.
        outside: What else they may ask for.
        command: What was typed, for the comment at the top.
    """
    world = outside or Outside()
    origin = " and ".join(name for name, _ in files)
    if source_format == "keepalived":
        source = read_keepalived(files, config_id=world.config_id, environment=world.environment, include=world.include)
    else:
        source = read_haproxy(files, environment=world.environment, look_up=world.look_up)
    document = assemble(source, world.vips)
    repair(document, plugins, source.findings)
    return Imported(
        text=write(document, source.findings, origin=origin, command=command),
        findings=tuple(source.findings),
        frontends=len(document.frontends),
        backends=len(document.backends),
        healthchecks=len(document.healthchecks),
        pending=len(document.pending),
        to_install=tuple(missing_plugins(document, plugins)),
    )
