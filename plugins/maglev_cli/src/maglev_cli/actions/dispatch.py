"""From the name of an action to the code that does it, imported only then."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from maglev_cli.actions.answer import Answer
from maglev_cli.grammar import Parsed

_HOMES: Mapping[str, str] = {
    "show-version": "show:version",
    "show-frontends": "show:frontends",
    "show-frontend": "show:frontend",
    "show-backends": "show:backends",
    "show-backend": "show:backend",
    "show-healthchecks": "show:healthchecks",
    "show-healthcheck": "show:healthcheck",
    "show-flow": "show:flow",
    "show-dataplane": "dataplane:info",
    "show-state": "dataplane:state",
    "show-counters": "dataplane:counters",
    "config-check": "change:check",
}

LOCAL = frozenset({"help", "quit", "watch"})
"""Actions that are no question with one answer: whoever runs commands does these."""


async def perform(client: Any, line: Parsed) -> Answer:
    """Do what a line asks for.

    Args:
        client: The `maglev_grpc.client.Client` to ask.
        line: The line.

    Raises:
        CommandError: maglevd refused it.
        DataplaneError: The dataplane could not be read.
        ClientError: maglevd could not be asked.
    """
    # What is in no table is a command that changes something: `change` knows them all.
    module, _, function = _HOMES.get(line.action, "change:change").partition(":")
    answer: Answer = await getattr(import_module(f"maglev_cli.actions.{module}"), function)(client, line)
    return answer
