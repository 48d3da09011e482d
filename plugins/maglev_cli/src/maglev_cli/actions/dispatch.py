"""From the name of an action to the code that does it, imported only then."""

from __future__ import annotations

from importlib import import_module

from maglev_cli.actions.answer import Answer
from maglev_cli.grammar import Parsed
from maglev_grpc.client import Client


async def answer(client: Client, line: Parsed) -> Answer:
    """Do what a line asks for.

    Args:
        client: Asks maglevd.
        line: The line; its action is `module:function` in this package, or a command's name.

    Raises:
        CommandError: maglevd refused it.
        DataplaneError: The dataplane could not be read.
        ClientError: maglevd could not be asked.
    """
    action = line.action if ":" in line.action else "change:change"
    module, _, function = action.partition(":")
    found: Answer = await getattr(import_module(f"maglev_cli.actions.{module}"), function)(client, line)
    return found
