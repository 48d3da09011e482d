"""The calls that change nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from maglev.api import Control, Flow
from maglev.build import Build
from maglev_grpc.convert import change_of, from_message, to_message
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from maglev_grpc.server import encode
from maglev_grpc.server.calls import Answer, Call, Handler
from maglev_grpc.server.errors import bad_argument
from maglev_grpc.server.names import bounded, bounded_command, find


class Reads:
    """Answers the calls that change nothing.

    Args:
        control: The running controller.
        build: Which build this is.
        watchers: Tells how many watchers there are.
    """

    def __init__(self, control: Control, build: Build, watchers: Callable[[], int]) -> None:
        self._control = control
        self._build = build
        self._watchers = watchers
        # Reading configuration or dataplane and building tables is dear: never more than one for all readers.
        self._dear = asyncio.Lock()

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """What answers each call, by the method's name."""
        return {
            "GetInfo": self.info,
            "GetSnapshot": self.snapshot,
            "ListFrontends": self.frontends,
            "GetFrontend": self.frontend,
            "ListBackends": self.backends,
            "GetBackend": self.backend,
            "ListHealthChecks": self.healthchecks,
            "GetHealthCheck": self.healthcheck,
            "CheckConfig": self.check_config,
            "GetDataplaneInfo": self.dataplane,
            "GetDataplaneState": self.dataplane_state,
            "GetDataplaneCounters": self.counters,
            "TraceFlow": self.trace,
            "PreviewChange": self.preview,
        }

    async def info(self, _request: Any, call: Call) -> Answer:
        """Which maglevd this is, and how it is doing."""
        now = self._control.status()
        return pb.Info(
            version=now.version,
            commit=self._build.commit,
            date=self._build.date,
            started_at_s=now.started_at_s,
            config_loaded_at_s=now.config_loaded_at_s,
            warm=now.warm,
            lag=to_message(self._control.lag()),
            watchers=self._watchers(),
            may_change=call.caller.may_change,
            may_change_why=call.caller.why,
        )

    async def snapshot(self, _request: Any, _call: Call) -> Answer:
        """Everything at one moment."""
        return await encode.snapshot(self._control.snapshot())

    async def frontends(self, _request: Any, _call: Call) -> Answer:
        """All frontends."""
        return await encode.listed(pb.ListFrontendsResponse, "frontends", self._control.snapshot().frontends)

    async def frontend(self, request: pb.GetFrontendRequest, _call: Call) -> Answer:
        """One frontend."""
        return _message(self._control.frontend(bounded(request.name)))

    async def backends(self, _request: Any, _call: Call) -> Answer:
        """All backends."""
        return await encode.listed(pb.ListBackendsResponse, "backends", self._control.snapshot().backends)

    async def backend(self, request: pb.GetBackendRequest, _call: Call) -> Answer:
        """One backend."""
        return _message(self._control.backend(bounded(request.name)))

    async def healthchecks(self, _request: Any, _call: Call) -> Answer:
        """All health checks."""
        return await encode.listed(pb.ListHealthChecksResponse, "healthchecks", self._control.snapshot().healthchecks)

    async def healthcheck(self, request: pb.GetHealthCheckRequest, _call: Call) -> Answer:
        """One health check."""
        return _message(find("healthcheck", request.name, self._control.snapshot().healthchecks))

    async def check_config(self, _request: Any, _call: Call) -> Answer:
        """What is wrong with the configuration on disk."""
        async with self._dear:
            problems = await self._control.check_config()
        return pb.CheckConfigResponse(problems=[to_message(problem) for problem in problems])

    async def dataplane(self, _request: Any, _call: Call) -> Answer:
        """The connection to the dataplane."""
        return _message(self._control.dataplane_snapshot())

    async def dataplane_state(self, request: pb.GetDataplaneStateRequest, _call: Call) -> Answer:
        """What the dataplane holds."""
        async with self._dear:
            state = await self._control.read_dataplane(details=request.details)
        return await encode.dataplane_state(state)

    async def counters(self, _request: Any, _call: Call) -> Answer:
        """What each VIP carried."""
        async with self._dear:
            counters = await self._control.counters()
        return pb.GetDataplaneCountersResponse(counters=[to_message(counter) for counter in counters])

    async def trace(self, request: pb.TraceFlowRequest, _call: Call) -> Answer:
        """Where a new flow would go."""
        bounded(request.frontend)
        flow = _flow(request)
        async with self._dear:
            return _message(await self._control.trace_flow(request.frontend, flow))

    async def preview(self, request: pb.PreviewChangeRequest, _call: Call) -> Answer:
        """What a changing call would do."""
        try:
            command = change_of(request)
        except ValueError as error:
            raise bad_argument(str(error)) from error
        bounded_command(command)
        async with self._dear:
            return _message(await self._control.preview(command))


def _message(value: Any) -> Answer:
    message: Answer = to_message(value)
    return message


def _flow(request: pb.TraceFlowRequest) -> Flow:
    if not request.HasField("flow") or not request.flow.source:
        raise bad_argument("flow.source is not set: a flow has the address of a client")
    try:
        flow = from_message(Flow, request.flow)
    except ValueError as error:
        raise bad_argument(f"flow.{error}") from error
    for name, port in (("source_port", flow.source_port), ("destination_port", flow.destination_port or 0)):
        if port > 65535:
            raise bad_argument(f"flow.{name}: {port} is no port, 0 to 65535 is allowed")
    return flow
