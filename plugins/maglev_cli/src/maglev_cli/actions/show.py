"""`show`: what maglevd knows."""

from __future__ import annotations

import time
from ipaddress import ip_address

from maglev import api
from maglev_cli.actions.answer import Answer, many, one
from maglev_cli.grammar import Parsed
from maglev_cli.views import backends as backend_views
from maglev_cli.views import dataplane as dataplane_views
from maglev_cli.views import frontends as frontend_views
from maglev_grpc.client import Client, Info
from maglev_grpc.convert import to_message


async def version(client: Client, _line: Parsed) -> Answer:
    """`show version`."""
    import importlib.metadata  # noqa: PLC0415  (no other command needs it)

    own = importlib.metadata.version("maglev-cli")
    return await one(client, "GetInfo", Info, lambda info: dataplane_views.version(info, own, time.time()))


async def frontends(client: Client, _line: Parsed) -> Answer:
    """`show frontends`."""
    return await many(client, "ListFrontends", api.FrontendSnapshot, frontend_views.frontends)


async def frontend(client: Client, line: Parsed) -> Answer:
    """`show frontend <frontend>`."""
    name = line.values["frontend"]
    return await one(client, "GetFrontend", api.FrontendSnapshot, frontend_views.frontend, name=name)


async def backends(client: Client, _line: Parsed) -> Answer:
    """`show backends`."""
    now_s = time.time()
    return await many(client, "ListBackends", api.BackendSnapshot, lambda found: backend_views.backends(found, now_s))


async def backend(client: Client, line: Parsed) -> Answer:
    """`show backend <backend>`."""
    now_s, name = time.time(), line.values["backend"]
    return await one(
        client, "GetBackend", api.BackendSnapshot, lambda found: backend_views.backend(found, now_s), name=name
    )


async def healthchecks(client: Client, _line: Parsed) -> Answer:
    """`show healthchecks`."""
    return await many(client, "ListHealthChecks", api.HealthCheckSnapshot, backend_views.healthchecks)


async def healthcheck(client: Client, line: Parsed) -> Answer:
    """`show healthcheck <healthcheck>`."""
    name = line.values["healthcheck"]
    return await one(client, "GetHealthCheck", api.HealthCheckSnapshot, backend_views.healthcheck, name=name)


async def flow(client: Client, line: Parsed) -> Answer:
    """`show flow <frontend> <source-address> [<source-port>] …`."""
    asked = {"frontend": line.values["frontend"], "flow": to_message(flow_of(line))}
    return await one(client, "TraceFlow", api.FlowTrace, frontend_views.flow, **asked)


def flow_of(line: Parsed) -> api.Flow:
    """The flow that a line describes."""
    values = line.values
    return api.Flow(
        source=ip_address(values["source"]),
        source_port=int(values.get("source-port", "0")),
        protocol=api.IPProtocol(values["protocol"]) if line.has("protocol") else None,
        destination_port=int(values["destination-port"]) if line.has("destination-port") else None,
    )
