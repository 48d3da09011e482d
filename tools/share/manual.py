"""Composes the manual pages: what the reference says, and around it what every manual page has."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

import attrs
import click

import maglev_cli.command
import maglev_tester.command
import maglev_web.command
from maglev._commit import UNKNOWN
from maglev.build import this_build
from maglev.cli.command import command as maglevd
from maglev.library import installed
from tools.reference import command_line, configuration, maglevc, maglevd_frontend, maglevt
from tools.share.roff import escaped, macro, tidy, written

_REFERENCE = {
    "command-line.md": "maglevd(8)",
    "configuration.md": "maglev.yaml(5)",
    "maglevc.md": "maglevc(1)",
    "maglevd-frontend.md": "maglevd-frontend(8)",
    "maglevt.md": "maglevt(1)",
}
"""The manual page of each page of the reference."""


@attrs.frozen
class Page:
    """One manual page.

    Args:
        name: Its name, which is that of the command or file.
        section: Of the manual.
        what: What it is, in the few words that whatis(1) shows.
        reference: Gives the page of the reference that it is made of.
        command: Gives the command; `None` for a file.
        ending: Sections behind those of the reference, in Markdown.
    """

    name: str
    section: int
    what: str
    reference: Callable[[], str]
    command: Callable[[], click.Command] | None
    ending: str

    @property
    def title(self) -> str:
        """How other pages call it, as `maglevc(1)`."""
        return f"{self.name}({self.section})"


_FILES = """
## Files

| file | meaning |
|---|---|
"""
_CONFIGURATION = "| `/etc/vpp-maglev/maglev.yaml` | The configuration: maglev.yaml(5) |\n"
_ENVIRONMENT = (
    "| `/etc/default/vpp-maglev` | Variables for the services of both daemons, where a package brings them |\n"
)

MANUAL = (
    Page(
        "maglevd",
        8,
        "health checker and control plane for Maglev load balancing",
        command_line.page,
        lambda: maglevd(installed(environ={"MAGLEV_LOAD_PLUGINS": ""})),
        f"""{_FILES}{_CONFIGURATION}{_ENVIRONMENT}\
| `/var/lib/vpp-maglev` | What commands changed and restarts keep |

## Examples

Check a configuration, and show all that is wrong with it:

    maglevd check /etc/vpp-maglev/maglev.yaml

Probe and plan beside another controller, and write nothing to the dataplane:

    maglevd --config maglev.yaml --observe --state-dir ""
""",
    ),
    Page(
        "maglevd-frontend",
        8,
        "web dashboard of maglevd",
        maglevd_frontend.page,
        maglev_web.command.command,
        f"""{_FILES}{_ENVIRONMENT}

## Examples

Show two daemons, to everybody who can connect:

    maglevd-frontend --server lb0.example.org,lb1.example.org:9090 --listen :8080
""",
    ),
    Page(
        "maglevc",
        1,
        "command line of maglevd, one-shot and interactive",
        maglevc.page,
        maglev_cli.command.command,
        f"""{_FILES}\
| `~/.local/state/maglevc/history` | What was typed into the shell |

## Examples

Show a frontend: its states, weights and why they are so:

    maglevc show frontend web-v4

Tell what pausing a backend would move, and move nothing:

    maglevc set backend nginx0-ams pause dry-run

Ask a daemon on another host, and print JSON:

    maglevc --server lb0.example.org --output json show backends
""",
    ),
    Page(
        "maglevt",
        1,
        "probe the VIPs of maglevd as a client",
        maglevt.page,
        maglev_tester.command.command,
        f"""{_FILES}{_CONFIGURATION}

## Examples

Watch all VIPs of a configuration on the screen:

    maglevt --config maglev.yaml

Probe each VIP a hundred times, and fail if one was good less often than 99.9 %:

    maglevt --config maglev.yaml --once 100 --output json --min-ok 99.9
""",
    ),
    Page(
        "maglev.yaml",
        5,
        "configuration of maglevd",
        configuration.page,
        None,
        f"""{_FILES}{_CONFIGURATION}

## Examples

```yaml
maglev:
  healthchecks:
    web: {{type: http, port: 80, params: {{path: /healthz}}, interval: 2s, fast-interval: 500ms}}
  backends:
    ams-1: {{address: 192.0.2.11, healthcheck: web}}
    ams-2: {{address: 192.0.2.12, healthcheck: web}}
    fra-1: {{address: 192.0.2.21, healthcheck: web}}
  frontends:
    site:
      address: 203.0.113.80
      protocol: tcp
      port: 443
      pools:
        - {{name: primary, backends: {{ams-1: {{weight: 100}}, ams-2: {{weight: 50}}}}}}
        - {{name: fallback, backends: {{fra-1: {{}}}}}}
```
""",
    ),
)
COMMANDS = tuple(page.name for page in MANUAL if page.command)
"""The names of all commands."""


def text_of(page: Page) -> str:
    """Return a manual page, as roff."""
    introduction, heading, sections = page.reference().partition("\n## ")
    link = partial(_behind_link, page)
    lines = [
        _title(page),
        macro("SH", "NAME"),
        rf"{escaped(page.name)} \- {escaped(page.what)}",
        *_synopsis(page),
        macro("SH", "DESCRIPTION"),
        *_said_by(page, introduction),
        *written(introduction, link),
    ]
    if page.command is None:
        lines.append(macro("SH", "KEYS"))
    lines += written(heading + sections, link, deeper=0 if page.command else 1)
    lines += written(page.ending, link)
    others = ", ".join(rf"\fB{escaped(other.name)}\fR({other.section})" for other in MANUAL if other != page)
    return "\n".join(tidy([*lines, macro("SH", "SEE ALSO"), others])) + "\n"


def _title(page: Page) -> str:
    made = this_build()
    return f'.TH "{escaped(page.name.upper())}" "{page.section}" "{_date()}" "maglevd {made.version}" "maglevd"'


@cache
def _date() -> str:
    """Tell the day that the pages are of: that of the commit, so that the same sources give the same pages."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch:
        return datetime.fromtimestamp(int(epoch), UTC).date().isoformat()
    return this_build().date.partition("T")[0].replace(UNKNOWN, "")


def _synopsis(page: Page) -> Iterator[str]:
    yield macro("SH", "SYNOPSIS")
    if page.command is None:
        yield r"\fI/etc/vpp\-maglev/maglev.yaml\fR"
        return
    command = page.command()
    with click.Context(command, info_name=page.name, **command.context_settings) as context:
        pieces = command.collect_usage_pieces(context)
    yield rf"\fB{escaped(page.name)}\fR " + " ".join(rf"\fI{escaped(piece)}\fR" for piece in pieces)


def _said_by(page: Page, introduction: str) -> Iterator[str]:
    """Yield what the command says of itself, unless the reference opens with that."""
    said = (page.command().help or "") if page.command else ""
    if said and said.split()[:5] != _opening(introduction).split()[:5]:
        yield escaped(said)


def _opening(introduction: str) -> str:
    """Find the first paragraph behind title and comment."""
    paragraphs = introduction.split("\n\n")
    return next((text for text in paragraphs if not text.lstrip().startswith(("#", "<!--"))), "")


def _behind_link(page: Page, target: str) -> str:
    """Say where a link leads: to another manual page, or to an address; pages of the site have none."""
    if target.startswith(("http:", "https:")):
        return target
    other = _REFERENCE.get(Path(target.partition("#")[0]).name, "")
    return "" if other == page.title else other
