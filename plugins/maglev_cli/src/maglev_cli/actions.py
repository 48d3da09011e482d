"""Runs commands: each sends a request to maglevd and turns the answer into a view."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from typing import Any

import attrs

from maglev import api
from maglev_cli.forms import command_of
from maglev_cli.grammar import Parsed
from maglev_cli.views import backends, changes, dataplane, frontends
from maglev_cli.views.model import View
from maglev_grpc.client import Client, Info
from maglev_grpc.convert import call_of, from_message, preview_request, request_of, to_message
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb


@attrs.frozen
class Answer:
    """The answer to one command.

    Args:
        message: The API's message, for JSON.
        view: Makes what a person reads.
        errors: What went wrong although there is an answer: each is written as an error, and the exit status says so.
    """

    message: Any
    view: Callable[[], View]
    errors: tuple[str, ...] = ()


Action = Callable[[Client, Parsed], Awaitable[Answer]]


async def answer(client: Client, line: Parsed) -> Answer:
    """Do what a line asks for.

    Raises:
        CommandError: maglevd refused it.
        DataplaneError: The dataplane could not be read.
        ClientError: maglevd could not be asked.
    """
    return await _ACTIONS.get(line.action, _change)(client, line)


async def _read(client: Client, call: str, **fields: object) -> Any:
    """Ask maglevd something; `call` is its name, as `GetBackend`, and `fields` are those of the request."""
    return await client.read(call, getattr(pb, f"{call}Request")(**fields))


def _one(call: str, kind: type[Any], view: Callable[[Any], View], **names: str) -> Action:
    """Make an action that asks for one value; `names` are the request's fields, each with its argument in the line."""

    async def ask(client: Client, line: Parsed) -> Answer:
        message = await _read(client, call, **{field: line.values[name] for field, name in names.items()})
        return Answer(message, lambda: view(from_message(kind, message)))

    return ask


def _all(call: str, kind: type[Any], view: Callable[[Any], View]) -> Action:
    """Make an action that asks for all values of a kind."""

    async def ask(client: Client, _line: Parsed) -> Answer:
        message = await _read(client, call)
        return Answer(message, lambda: view(_values(kind, message)))

    return ask


def _values(kind: type[Any], message: Any) -> list[Any]:
    (field,) = message.DESCRIPTOR.fields
    return [from_message(kind, each) for each in getattr(message, field.name)]


def _now(view: Callable[[Any, float], View]) -> Callable[[Any], View]:
    return lambda found: view(found, time.time())


def _version(info: Info) -> View:
    from importlib.metadata import version  # noqa: PLC0415  (no other command needs it)

    return dataplane.version(info, version("maglev-cli"), time.time())


async def _flow(client: Client, line: Parsed) -> Answer:
    values = line.values
    flow = api.Flow(
        source=ip_address(values["source"]),
        source_port=int(values.get("source-port", "0")),
        protocol=api.IPProtocol(values["protocol"]) if line.has("protocol") else None,
        destination_port=int(values["destination-port"]) if line.has("destination-port") else None,
    )
    message = await _read(client, "TraceFlow", frontend=values["frontend"], flow=to_message(flow))
    return Answer(message, lambda: frontends.flow(from_message(api.FlowTrace, message)))


async def _dataplane_state(client: Client, line: Parsed) -> Answer:
    names, name = await _names(client), line.values.get("frontend")
    message = await _read(client, "GetDataplaneState", details=True)
    if name is not None:
        only = to_message((await client.frontend(name)).vip)
        kept = [each for each in message.vips if each.vip == only]
        del message.vips[:]
        message.vips.extend(kept)
    return Answer(message, lambda: dataplane.state(from_message(api.DataplaneState, message), names))


async def _dataplane_counters(client: Client, _line: Parsed) -> Answer:
    names, message = await _names(client), await _read(client, "GetDataplaneCounters")
    return Answer(message, lambda: dataplane.counters(_values(api.VipCounters, message), names))


async def _names(client: Client) -> Mapping[api.VipKey, str]:
    """The frontends' names by VIP."""
    return {frontend.vip: frontend.name for frontend in await client.frontends()}


async def _check(client: Client, _line: Parsed) -> Answer:
    message = await _read(client, "CheckConfig")
    problems = _values(api.Problem, message)
    count = sum(problem.severity != "warning" for problem in problems)
    errors = (f"the configuration is not valid: {count} problem{'s' if count > 1 else ''}",) if count else ()
    return Answer(message, lambda: changes.problems(problems), errors)


async def _change(client: Client, line: Parsed) -> Answer:
    """Carry a command out, or with `dry-run` show what it would do."""
    command = command_of(line)
    if line.has("dry-run"):
        preview = await client.read("PreviewChange", preview_request(command))
        addresses = {each.name: ip_address(each.address) for each in (await _read(client, "ListBackends")).backends}
        return Answer(preview, lambda: changes.preview(from_message(api.Preview, preview), addresses))
    message = await client.call(call_of(command), request_of(command))
    result = from_message(api.CommandResult, message)
    return Answer(message, lambda: changes.result(result), tuple(f"failed: {error}" for error in result.errors))


_ACTIONS: Mapping[str, Action] = {
    "show:version": _one("GetInfo", Info, _version),
    "show:frontends": _all("ListFrontends", api.FrontendSnapshot, frontends.frontends),
    "show:frontend": _one("GetFrontend", api.FrontendSnapshot, frontends.frontend, name="frontend"),
    "show:backends": _all("ListBackends", api.BackendSnapshot, _now(backends.backends)),
    "show:backend": _one("GetBackend", api.BackendSnapshot, _now(backends.backend), name="backend"),
    "show:healthchecks": _all("ListHealthChecks", api.HealthCheckSnapshot, backends.healthchecks),
    "show:healthcheck": _one("GetHealthCheck", api.HealthCheckSnapshot, backends.healthcheck, name="healthcheck"),
    "show:flow": _flow,
    "dataplane:info": _one("GetDataplaneInfo", api.DataplaneSnapshot, _now(dataplane.dataplane)),
    "dataplane:state": _dataplane_state,
    "dataplane:counters": _dataplane_counters,
    "change:check": _check,
}
"""By the name in the list of forms; any other is a command that changes something."""
