"""The exporter `grpc`: listens, answers, and at a shutdown finishes the calls that it has begun."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, ClassVar

import anyio
import anyio.to_thread
import attrs
import grpc.aio

from maglev.api import Control, Exporter
from maglev.build import this_build
from maglev_grpc.server.access import Caller, Policy
from maglev_grpc.server.audit import Audit
from maglev_grpc.server.calls import LARGEST_REQUEST, SERVICE, handlers
from maglev_grpc.server.changes import Changes
from maglev_grpc.server.options import GrpcOptions
from maglev_grpc.server.reads import Reads
from maglev_grpc.server.relay import Relay, relayed
from maglev_grpc.server.secrets import Keeper, Secrets, read_secrets
from maglev_grpc.server.standard_services import add_health, add_reflection
from maglev_grpc.server.watching import Watching

LONGEST_CALL_S = 120.0
DRAIN_S = 3.0
"""How long running calls have at a shutdown."""

_SERVER = (
    ("grpc.max_receive_message_length", LARGEST_REQUEST),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_concurrent_streams", 256),
    ("grpc.so_reuseport", 0),  # a second daemon on the port is an error, and does not get half of the calls
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),  # no bound: a silent stream is looked after as long as it lasts
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),  # clients may ping twice as often as ours and Go's do
)
_OTHER_CALLS = 256


class GrpcExporter(Exporter):
    """Serves `maglev.v1.Maglev`, `grpc.health.v1.Health` and, unless switched off, reflection."""

    name: ClassVar[str] = "grpc"
    Options: ClassVar[type[Any]] = GrpcOptions

    def __init__(self, options: GrpcOptions) -> None:
        super().__init__(options)
        self.options: GrpcOptions = options
        self.port: int | None = None
        """The port that is listened on, once `ready` was called; `None` where `addr` is empty."""
        self._policy = Policy(os.geteuid())
        self._keeper: Keeper | None = None
        self.watching: Watching | None = None

    @property
    def enabled(self) -> bool:
        """Whether there is an address or a unix socket to listen on."""
        return bool(self.options.addr or self.options.socket)

    async def reload(self, options: GrpcOptions) -> None:
        """Read certificates and tokens again, and take what else can change while serving.

        Raises:
            ValueError: A file cannot be used, or a change needs a restart; nothing was changed.
        """
        secrets = await anyio.to_thread.run_sync(read_secrets, options)
        if self._keeper is not None:
            self._keeper.replace(secrets)
        self.options = options

    async def serve(self, control: Control, ready: Callable[[], None]) -> None:
        """Serve until cancelled; then end streams, let running calls finish, and close."""
        self._keeper = Keeper(await anyio.to_thread.run_sync(read_secrets, self.options))
        build = await anyio.to_thread.run_sync(this_build)
        options = self.options
        watching = self.watching = Watching(control, most=options.max_watchers, buffer=options.watch_buffer)
        audit = Audit()
        reads, changes = Reads(control, build, lambda: watching.watchers), Changes(control, audit)
        server = grpc.aio.server(options=_SERVER, maximum_concurrent_rpcs=options.max_watchers + _OTHER_CALLS)
        calls = handlers(
            reads.handlers,
            changes.handlers,
            {"WatchEvents": watching.watch},
            self._identify,
            audit,
            longest_s=LONGEST_CALL_S,
        )
        server.add_generic_rpc_handlers((calls,))
        health = await add_health(server, SERVICE.full_name)
        if options.reflection:
            add_reflection(server, SERVICE.full_name)
        async with self._listening(server):
            await server.start()
            try:
                ready()
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await health.enter_graceful_shutdown()
                    watching.close()
                    await changes.close(DRAIN_S)
                    await server.stop(DRAIN_S)

    @asynccontextmanager
    async def _listening(self, server: grpc.aio.Server) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if self.options.addr:
                self.port = self._bind(server)
            if self.options.socket_path:
                relay, outer = await stack.enter_async_context(relayed(self.options.socket_path))
                server.add_insecure_port(f"unix:{relay.inner}")
                self._policy = Policy(os.geteuid(), relay=relay.prefix)
                await stack.enter_async_context(_running(relay, outer))
            yield

    def _bind(self, server: grpc.aio.Server) -> int:
        address = self.options.bind_address
        credentials = self._keeper.credentials() if self._keeper else None
        try:
            if credentials is None:
                return server.add_insecure_port(address)
            return server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {self.options.addr}: {error}") from error

    def _identify(self, context: Any) -> Caller:
        policy = attrs.evolve(self._policy, allow_remote_writes=self.options.allow_remote_writes)
        secrets = self._keeper.secrets if self._keeper else Secrets()
        return policy.decide(context.peer(), context.auth_context(), context.invocation_metadata() or (), secrets)


@asynccontextmanager
async def _running(relay: Relay, outer: socket.socket) -> AsyncIterator[None]:
    # A task outside of the exporter's cancellation: calls through the socket are drained like all others.
    task = asyncio.get_running_loop().create_task(relay.run(outer))
    try:
        yield
    finally:
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait((task,))
