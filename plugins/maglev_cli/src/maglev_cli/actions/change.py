"""Commands that change something, carried out or only previewed, and `config check`."""

from __future__ import annotations

from ipaddress import ip_address

from maglev import api
from maglev_cli.actions.answer import Answer, read
from maglev_cli.forms import command_of
from maglev_cli.grammar import Parsed
from maglev_cli.views import changes as views
from maglev_grpc.client import Client
from maglev_grpc.convert import call_of, from_message, preview_request, request_of


async def change(client: Client, line: Parsed) -> Answer:
    """Carry a command out, or with `dry-run` show what it would do."""
    command = command_of(line)
    if line.has("dry-run"):
        return await _preview(client, command)
    message = await client.call(call_of(command), request_of(command))
    result = from_message(api.CommandResult, message)
    return Answer(message, lambda: views.result(result), tuple(f"failed: {error}" for error in result.errors))


async def _preview(client: Client, command: api.Command) -> Answer:
    message = await client.read("PreviewChange", preview_request(command))
    backends = await read(client, "ListBackends")
    addresses = {backend.name: ip_address(backend.address) for backend in backends.backends}
    return Answer(message, lambda: views.preview(from_message(api.Preview, message), addresses))


async def check(client: Client, _line: Parsed) -> Answer:
    """`config check`."""
    message = await read(client, "CheckConfig")
    problems = [from_message(api.Problem, problem) for problem in message.problems]
    count = sum(problem.severity != "warning" for problem in problems)
    errors = (f"the configuration is not valid: {count} problem{'s' if count > 1 else ''}",) if count else ()
    return Answer(message, lambda: views.problems(problems), errors)
