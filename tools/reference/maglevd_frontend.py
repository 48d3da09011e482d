"""Writes the reference page of `maglevd-frontend` from the command itself."""

# ruff: noqa: E501  (rows of tables)

from __future__ import annotations

from maglev_web.command import command
from tools.reference.options import options_table

_HEAD = """\
# maglevd-frontend

<!-- Written by `python -m tools.reference` from the command itself: change it there. -->

Serve a web page that shows one or more running maglevds: `/view/` for everybody who can connect and, if user and
password are set, `/admin/` with commands. See [The dashboard](../how-to/dashboard.md) for how to set it up.

Every option has an environment variable; the option takes precedence. You can write long options with one dash too
(`-server x`). SIGTERM and SIGINT end the process with status 0; SIGHUP has no effect. Exit status 1 is an error, 2 a
wrong command line.

## Options

"""
_TAIL = """
Set user and password of `/admin/` in the environment: `MAGLEV_FRONTEND_USER` and `MAGLEV_FRONTEND_PASSWORD`. There are no
options for them, since a list of processes would show them. Without them, `/admin/` answers 404.

## Addresses

| path | content |
|---|---|
| `/view/` | the page, read-only |
| `/view/api/state` | the state of all daemons as JSON, with the id of the newest event that it includes |
| `/view/api/state/{name}` | the state of one daemon, by its name in `--server` |
| `/view/api/maglevds` | the daemons: name, connection, frontends by state |
| `/view/api/events` | server-sent events; `?since=<id>` or `Last-Event-ID` replays later events; `event: reset` means that this is not possible: fetch `/view/api/state` again |
| `/view/api/probes` | `?maglevd=<name>&frontend=<name>&frontend=…`: the newest probes of these frontends' backends, which are then followed for 30 seconds; needed for daemons with more than 300 backends: with fewer, the events contain all probes |
| `/view/api/version` | version of this server, and whether it has an `/admin/` |
| `/healthz` | `ok` while the server answers, whatever the state of the daemons |
| `/admin/` | the page with commands; it and all paths below need user and password |
| `/admin/api/session` | the token that commands must send in `X-Maglev-Token` |
| `/admin/api/logs` | log records of the daemons from level `info`, as server-sent events; requested from the daemons only while somebody reads them |
| `/admin/api/preview` | POST a command to preview it |
| `/admin/api/command` | POST a command to run it |

The server can replay the last 2000 events of the last 30 seconds. It sends a `ping` every 15 seconds if there is no event.

A command is JSON: `{"maglevd": "localhost:9090", "command": "PauseBackend", "arguments": {"backend": "nginx0-ams"}}`.

| command | arguments |
|---|---|
| `pause`, `resume`, `enable`, `disable`, `reset` | `backend` |
| `weight` | `frontend`, `pool`, `backend`, `weight` (0 to 100) |
| `reset-weight` | `frontend`, `pool`, `backend` |
| `sync` | `frontend` (default: all), `recreate`, `prune` |
| `reload` | `force` |

A refusal is `{"error": "…"}`, with one of these statuses:

| status | meaning |
|---|---|
| 400 | the command is invalid |
| 403 | the command is not allowed, or does not come from the page |
| 404 | there is no object of this name |
| 409 | the command does not fit the present state |
| 413 | the request is too large |
| 421 | the host name is not allowed |
| 429 | too many wrong passwords |
| 502 | the daemon is not reachable |
"""


def page() -> str:
    """The page, as Markdown."""
    return f"{_HEAD}{options_table(command())}\n{_TAIL}"
