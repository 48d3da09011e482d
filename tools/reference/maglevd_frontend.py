"""Writes the reference page of `maglevd-frontend` from the command itself."""

# ruff: noqa: E501  (rows of tables)

from __future__ import annotations

from maglev_web.command import command
from tools.reference.options import options_table

_HEAD = """\
# maglevd-frontend

<!-- Written by `python -m tools.reference` from the command itself: change it there. -->

Serve a web page that shows one or more running maglevds: `/view/` for everybody who can connect, and, where user and
password are set, `/admin/` with commands. How to set it up is in [the dashboard](../how-to/dashboard.md).

Every option has an environment variable, and the option wins over it. Long options may be written with one dash too
(`-server x`). SIGTERM and SIGINT end it with status 0; SIGHUP does nothing. Exit status 1 is an error, 2 a wrong
command line.

## Options

"""
_TAIL = """
User and password of `/admin/` come from the environment only, so that no list of processes shows them:
`MAGLEV_FRONTEND_USER` and `MAGLEV_FRONTEND_PASSWORD`. Without them there is no `/admin/`: it answers 404.

## Addresses

| path | what |
|---|---|
| `/view/` | the page, read-only |
| `/view/api/state` | everything, as JSON: all daemons, with the id of the newest event that is contained |
| `/view/api/state/{name}` | one daemon's, by the name that it has in `--server` |
| `/view/api/maglevds` | the daemons: name, connection, frontends by state |
| `/view/api/events` | server-sent events; `?since=<id>` or `Last-Event-ID` replays what came after, `event: reset` says that it cannot, and `/view/api/state` is to be fetched again |
| `/view/api/probes` | `?maglevd=<name>&frontend=<name>&frontend=…`: the newest probes of these frontends' backends, which are then followed for 30 seconds; for daemons with more than 300 backends, as the probes of fewer are all in the events |
| `/view/api/version` | version of this server, and whether it has an `/admin/` |
| `/healthz` | `ok` while the server answers, whatever the daemons do |
| `/admin/` | the page with commands, behind user and password, as is all below it |
| `/admin/api/session` | the token that commands must carry in `X-Maglev-Token` |
| `/admin/api/logs` | log records of the daemons, from level `info`, as server-sent events; they are asked for while somebody reads them |
| `/admin/api/preview` | POST a command: what it would do |
| `/admin/api/command` | POST a command: do it |

Events can be replayed for 30 seconds, and 2000 of them. A silent stream carries a `ping` every 15 seconds.

A command is JSON: `{"maglevd": "localhost:9090", "command": "PauseBackend", "arguments": {"backend": "nginx0-ams"}}`.

| command | arguments |
|---|---|
| `pause`, `resume`, `enable`, `disable`, `reset` | `backend` |
| `weight` | `frontend`, `pool`, `backend`, `weight` (0 to 100) |
| `reset-weight` | `frontend`, `pool`, `backend` |
| `sync` | `frontend` (all without), `recreate`, `prune` |
| `reload` | `force` |

A refusal is `{"error": "…"}`: 400 it can never be right, 403 it is not allowed or does not come from the page, 404 there
is no such name, 409 not now, 413 too large, 421 not under that host name, 429 too many wrong passwords, 502 the daemon is away.
"""


def page() -> str:
    """The page, as Markdown."""
    return f"{_HEAD}{options_table(command())}\n{_TAIL}"
