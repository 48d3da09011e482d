"""Answers the calls that change nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from maglev.api import BadArgument, Control, Flow, ReloadConfig
from maglev.build import Build
from maglev_grpc.convert import Info, change_of, from_message, to_message
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from maglev_grpc.server import encode
from maglev_grpc.server.calls import Answer, Call, Handler
from maglev_grpc.server.names import bounded, bounded_command, find


class Reads:
    """Answers the calls that change nothing."""

    def __init__(self, control: Control, build: Build, watchers: Callable[[], int]) -> None:
        self._control = control
        self._build = build
        self._watchers = watchers
        # Reading the dataplane and building tables is costly: never more than one for all readers.
        self._costly = asyncio.Lock()
        # So is reading the configuration, whose file may take its time.
        self._file = asyncio.Lock()

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The handlers of calls, by the method's name."""
        now = self._control.snapshot
        return {
            "GetInfo": self._info,
            "GetSnapshot": lambda _request, _call: encode.serialised(now()),
            "ListFrontends": lambda _request, _call: encode.listed(pb.ListFrontendsResponse, now().frontends),
            "GetFrontend": self._frontend,
            "ListBackends": lambda _request, _call: encode.listed(pb.ListBackendsResponse, now().backends),
            "GetBackend": self._backend,
            "ListHealthChecks": lambda _request, _call: encode.listed(pb.ListHealthChecksResponse, now().healthchecks),
            "GetHealthCheck": self._healthcheck,
            "CheckConfig": self._check_config,
            "GetDataplaneInfo": self._dataplane,
            "GetDataplaneState": self._dataplane_state,
            "GetDataplaneCounters": self._counters,
            "TraceFlow": self._trace,
            "PreviewChange": self._preview,
        }

    async def _info(self, _request: Any, call: Call) -> Answer:
        now = self._control.status()
        info = Info(
            version=now.version,
            commit=self._build.commit,
            date=self._build.date,
            started_at_s=now.started_at_s,
            config_loaded_at_s=now.config_loaded_at_s,
            warm=now.warm,
            lag=self._control.lag(),
            watchers=self._watchers(),
            may_change=call.caller.may_change,
            may_change_why=call.caller.why,
            troubles=now.troubles,
        )
        return _message(info)

    async def _frontend(self, request: pb.GetFrontendRequest, _call: Call) -> Answer:
        return _message(self._control.frontend(bounded(request.name)))

    async def _backend(self, request: pb.GetBackendRequest, _call: Call) -> Answer:
        return _message(self._control.backend(bounded(request.name)))

    async def _healthcheck(self, request: pb.GetHealthCheckRequest, _call: Call) -> Answer:
        return _message(find("healthcheck", request.name, self._control.snapshot().healthchecks))

    async def _check_config(self, _request: Any, _call: Call) -> Answer:
        async with self._file:
            problems = await self._control.check_config()
        return pb.CheckConfigResponse(problems=[to_message(problem) for problem in problems])

    async def _dataplane(self, _request: Any, _call: Call) -> Answer:
        return _message(self._control.dataplane_snapshot())

    async def _dataplane_state(self, request: pb.GetDataplaneStateRequest, _call: Call) -> Answer:
        async with self._costly:
            state = await self._control.read_dataplane(details=request.details)
        return await encode.serialised(state)

    async def _counters(self, _request: Any, _call: Call) -> Answer:
        async with self._costly:
            counters = await self._control.counters()
        return pb.GetDataplaneCountersResponse(counters=[to_message(counter) for counter in counters])

    async def _trace(self, request: pb.TraceFlowRequest, _call: Call) -> Answer:
        bounded(request.frontend)
        flow = _flow(request)
        async with self._costly:
            return _message(await self._control.trace_flow(request.frontend, flow))

    async def _preview(self, request: pb.PreviewChangeRequest, _call: Call) -> Answer:
        try:
            command = change_of(request)
        except ValueError as error:
            raise BadArgument(str(error)) from error
        bounded_command(command)
        async with self._file if isinstance(command, ReloadConfig) else self._costly:
            return await encode.serialised(await self._control.preview(command))


def _message(value: Any) -> Answer:
    message: Answer = to_message(value)
    return message


def _flow(request: pb.TraceFlowRequest) -> Flow:
    if not request.HasField("flow") or not request.flow.source:
        raise BadArgument("flow.source is not set: a flow has the address of a client")
    try:
        flow = from_message(Flow, request.flow)
    except ValueError as error:
        raise BadArgument(f"flow.{error}") from error
    for name, port in (("source_port", flow.source_port), ("destination_port", flow.destination_port or 0)):
        if port > 65535:
            raise BadArgument(f"flow.{name}: {port} is not a port from 0 to 65535")
    return flow
