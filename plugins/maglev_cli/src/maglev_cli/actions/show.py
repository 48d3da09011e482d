"""`show`: what maglevd knows."""

from __future__ import annotations

import time
from ipaddress import ip_address

from maglev import api
from maglev_cli.actions.answer import Answer
from maglev_cli.grammar import Parsed
from maglev_cli.views import backends as backend_views
from maglev_cli.views import dataplane as dataplane_views
from maglev_cli.views import frontends as frontend_views
from maglev_grpc.client import Client, Info
from maglev_grpc.convert import from_message, to_message
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb


async def version(client: Client, _line: Parsed) -> Answer:
    """`show version`."""
    import importlib.metadata  # noqa: PLC0415  (no other command needs it)

    message = await client.read("GetInfo", pb.GetInfoRequest())
    info, own = from_message(Info, message), importlib.metadata.version("maglev-cli")
    return Answer(message, lambda: dataplane_views.version(info, own, time.time()))


async def frontends(client: Client, _line: Parsed) -> Answer:
    """`show frontends`."""
    message = await client.read("ListFrontends", pb.ListFrontendsRequest())
    return Answer(
        message,
        lambda: frontend_views.frontends([from_message(api.FrontendSnapshot, one) for one in message.frontends]),
    )


async def frontend(client: Client, line: Parsed) -> Answer:
    """`show frontend <frontend>`."""
    message = await client.read("GetFrontend", pb.GetFrontendRequest(name=line.values["frontend"]))
    return Answer(message, lambda: frontend_views.frontend(from_message(api.FrontendSnapshot, message)))


async def backends(client: Client, _line: Parsed) -> Answer:
    """`show backends`."""
    message = await client.read("ListBackends", pb.ListBackendsRequest())
    return Answer(
        message,
        lambda: backend_views.backends(
            [from_message(api.BackendSnapshot, one) for one in message.backends], time.time()
        ),
    )


async def backend(client: Client, line: Parsed) -> Answer:
    """`show backend <backend>`."""
    message = await client.read("GetBackend", pb.GetBackendRequest(name=line.values["backend"]))
    return Answer(message, lambda: backend_views.backend(from_message(api.BackendSnapshot, message), time.time()))


async def healthchecks(client: Client, _line: Parsed) -> Answer:
    """`show healthchecks`."""
    message = await client.read("ListHealthChecks", pb.ListHealthChecksRequest())
    return Answer(
        message,
        lambda: backend_views.healthchecks(
            [from_message(api.HealthCheckSnapshot, one) for one in message.healthchecks]
        ),
    )


async def healthcheck(client: Client, line: Parsed) -> Answer:
    """`show healthcheck <healthcheck>`."""
    message = await client.read("GetHealthCheck", pb.GetHealthCheckRequest(name=line.values["healthcheck"]))
    return Answer(message, lambda: backend_views.healthcheck(from_message(api.HealthCheckSnapshot, message)))


async def flow(client: Client, line: Parsed) -> Answer:
    """`show flow <frontend> <source-address> [<source-port>] …`."""
    request = pb.TraceFlowRequest(frontend=line.values["frontend"], flow=to_message(flow_of(line)))
    message = await client.read("TraceFlow", request)
    return Answer(message, lambda: frontend_views.flow(from_message(api.FlowTrace, message)))


def flow_of(line: Parsed) -> api.Flow:
    """The flow that a line describes."""
    values = line.values
    protocols = [api.IPProtocol(word) for word in ("tcp", "udp") if line.has(word)]
    return api.Flow(
        source=ip_address(values["source"]),
        source_port=int(values.get("source-port", "0")),
        protocol=protocols[0] if protocols else None,
        destination_port=int(values["destination-port"]) if "destination-port" in values else None,
    )
