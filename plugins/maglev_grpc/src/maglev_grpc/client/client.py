"""The typed client: what `maglev.api.Control` gives inside the daemon, over a connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread
import grpc.aio
from google.protobuf import message_factory
from google.protobuf.message import Message

from maglev import api
from maglev_grpc.client.channel import open_channel, read_credentials, read_target
from maglev_grpc.client.watch import Disconnected, Item, as_items, watch_messages
from maglev_grpc.convert import Info, call_of, from_message, preview_request, request_of, to_message, watch_request
from maglev_grpc.errors import Unavailable, error_of
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from maglev_grpc.security import Security

T = TypeVar("T")

_SERVICE = pb.DESCRIPTOR.services_by_name["Maglev"]
_RETRY_S = 0.2


class Client:
    """A connection to one maglevd, made with the first call and made again when it is lost. See `connect`.

    Calls raise what the controller raised (`maglev.api.CommandError` and its kinds, `DataplaneError`), or a
    `ClientError`.

    Args:
        target: Where the daemon is, as `read_target` gives it.
        channel: An open gRPC channel to it.
        timeout_s: How long one call may take, in seconds.
        patience_s: For how long a reading call that reaches nobody is tried again, in seconds.
        security: How the channel speaks, to find out why it cannot.
    """

    def __init__(
        self,
        target: str,
        channel: grpc.aio.Channel,
        *,
        timeout_s: float,
        patience_s: float,
        security: Security | None = None,
    ) -> None:
        self.target = target
        self._security = security or Security()
        self._channel = channel
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._methods: dict[str, Any] = {}

    # --- what is ---------------------------------------------------------------------------------------------------

    async def info(self) -> Info:
        """Return the version and condition of maglevd."""
        return await self._value(Info, "GetInfo")

    async def snapshot(self) -> api.Snapshot:
        """Everything at one moment."""
        return await self._value(api.Snapshot, "GetSnapshot")

    async def frontends(self) -> Sequence[api.FrontendSnapshot]:
        """All frontends, in the order of the configuration."""
        return await self._values(api.FrontendSnapshot, "ListFrontends")

    async def frontend(self, name: str) -> api.FrontendSnapshot:
        """One frontend; raises `UnknownName`."""
        return await self._value(api.FrontendSnapshot, "GetFrontend", name=name)

    async def backends(self) -> Sequence[api.BackendSnapshot]:
        """All backends, in the order of the configuration."""
        return await self._values(api.BackendSnapshot, "ListBackends")

    async def backend(self, name: str) -> api.BackendSnapshot:
        """One backend; raises `UnknownName`."""
        return await self._value(api.BackendSnapshot, "GetBackend", name=name)

    async def healthchecks(self) -> Sequence[api.HealthCheckSnapshot]:
        """All health checks, in the order of the configuration."""
        return await self._values(api.HealthCheckSnapshot, "ListHealthChecks")

    async def healthcheck(self, name: str) -> api.HealthCheckSnapshot:
        """One health check; raises `UnknownName`."""
        return await self._value(api.HealthCheckSnapshot, "GetHealthCheck", name=name)

    async def dataplane(self) -> api.DataplaneSnapshot:
        """The connection to the dataplane, without what it holds."""
        return await self._value(api.DataplaneSnapshot, "GetDataplaneInfo")

    # --- as Control has it -----------------------------------------------------------------------------------------

    async def command(self, command: api.Command) -> api.CommandResult:
        """Carry out a command and wait for its effect; never tried twice."""
        return from_message(api.CommandResult, await self.call(call_of(command), request_of(command)))

    async def preview(self, command: api.Command) -> api.Preview:
        """Tell what a command would do, bucket for bucket, without doing it."""
        return from_message(api.Preview, await self.read("PreviewChange", preview_request(command)))

    async def trace_flow(self, frontend: str, flow: api.Flow) -> api.FlowTrace:
        """Tell which server a new flow gets."""
        return await self._value(api.FlowTrace, "TraceFlow", frontend=frontend, flow=to_message(flow))

    async def check_config(self) -> Sequence[api.Problem]:
        """Check the daemon's configuration as it stands on disk."""
        return await self._values(api.Problem, "CheckConfig")

    async def read_dataplane(self, *, details: bool = False) -> api.DataplaneState:
        """Read the dataplane afresh; `details` also what is costly (the entries of each server)."""
        return await self._value(api.DataplaneState, "GetDataplaneState", details=details)

    async def counters(self) -> Sequence[api.VipCounters]:
        """Read what each VIP carried."""
        return await self._values(api.VipCounters, "GetDataplaneCounters")

    def watch(self, wanted: api.EventFilter | None = None, *, reconnect: bool = True) -> AsyncGenerator[Item, None]:
        """Yield the state, then every change, for ever.

        Items are `Connected` with a snapshot, `Watched` with an event, and `Disconnected`. After a lost connection
        there is a `Connected` again: what happened in between shows in its snapshot only. Whoever breaks out of the
        loop should close the iterator (`contextlib.aclosing`).

        Args:
            wanted: Which events; all but logs and probes by default.
            reconnect: Whether to try again when the connection is lost, instead of raising.
        """
        return as_items(self.watch_messages(wanted, reconnect=reconnect))

    # --- messages --------------------------------------------------------------------------------------------------

    async def read(self, name: str, request: Message) -> Any:
        """Make a call that changes nothing; while the server cannot be reached, retry for `patience_s`.

        Returns:
            The message it answers with.
        """
        give_up_s = anyio.current_time() + self._patience_s
        while True:
            try:
                return await self.call(name, request)
            except Unavailable:
                if anyio.current_time() >= give_up_s:
                    raise
                await anyio.sleep(_RETRY_S)

    async def call(self, name: str, request: Message) -> Any:
        """Make one call, once.

        Returns:
            The message it answers with.
        """
        try:
            return await self._method(name)(request, timeout=self._timeout_s)
        except grpc.aio.AioRpcError as error:
            raise await self._failure(error) from None
        except asyncio.CancelledError:
            # gRPC raises one of its own making, which anyio does not know for its cancel scope's.
            await anyio.lowlevel.checkpoint_if_cancelled()
            raise

    async def stream(self, name: str, request: Message) -> AsyncGenerator[Any, None]:
        """Make one call that is answered by a stream, and yield its messages until the server ends it."""
        call = self._method(name)(request)
        try:
            async for message in call:
                yield message
        except grpc.aio.AioRpcError as error:
            raise await self._failure(error) from None
        finally:
            call.cancel()

    def watch_messages(
        self, wanted: api.EventFilter | None = None, *, reconnect: bool = True
    ) -> AsyncGenerator[pb.WatchEventsResponse | Disconnected, None]:
        """As `watch`, with the server's messages as they come; those of a lost connection are `Disconnected`."""
        request = watch_request(wanted or api.EventFilter(), pb.INITIAL_STATE_SNAPSHOT)
        return watch_messages(self._method("WatchEvents"), request, self.target, self._failure, reconnect=reconnect)

    async def _value(self, kind: type[T], method: str, **fields: Any) -> T:
        return from_message(kind, await self.read(method, _request(method, **fields)))

    async def _values(self, kind: type[T], method: str) -> tuple[T, ...]:
        answer = await self.read(method, _request(method))
        (listed,) = answer.DESCRIPTOR.fields
        return tuple(from_message(kind, message) for message in getattr(answer, listed.name))

    async def _failure(self, error: grpc.aio.AioRpcError) -> Exception:
        failure = error_of(error, self.target)
        if not isinstance(failure, Unavailable):
            return failure
        from maglev_grpc.client.diagnosis import explained  # noqa: PLC0415  (commands that succeed do without `ssl`)

        return await explained(failure, self.target, self._security)

    def _method(self, name: str) -> Any:
        method = self._methods.get(name)
        if method is None:
            described = _SERVICE.methods_by_name[name]
            made = message_factory.GetMessageClass(described.output_type)
            make = self._channel.unary_stream if described.server_streaming else self._channel.unary_unary
            method = self._methods[name] = make(
                f"/{_SERVICE.full_name}/{name}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=made.FromString,
            )
        return method


def _request(method: str, **fields: Any) -> Message:
    return message_factory.GetMessageClass(_SERVICE.methods_by_name[method].input_type)(**fields)


@asynccontextmanager
async def connect(
    server: str = "localhost", security: Security | None = None, *, timeout_s: float = 30.0, patience_s: float = 0.0
) -> AsyncIterator[Client]:
    """Open a connection to one maglevd for as long as the context lasts.

    Args:
        server: `host`, `host:port`, `[address]:port` or `unix:/path`; the port is 9090 unless said.
        security: TLS and token; clear text without.
        timeout_s: How long one call may take, in seconds.
        patience_s: For how long a reading call that reaches nobody is tried again, in seconds; 0 fails at once.

    Raises:
        ValueError: The server's name makes no sense, or a file of `security` cannot be used.
    """
    target = read_target(server)
    credentials = await anyio.to_thread.run_sync(read_credentials, target, security or Security())
    channel = open_channel(target, credentials, security or Security())
    try:
        yield Client(target, channel, timeout_s=timeout_s, patience_s=patience_s, security=security)
    finally:
        with anyio.CancelScope(shield=True):
            await channel.close()
