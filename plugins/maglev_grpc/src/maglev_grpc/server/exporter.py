"""The exporter `grpc`: listens, answers, and at a shutdown finishes the calls that it has begun."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol

import anyio
import anyio.to_thread
import attrs
import grpc.aio

from maglev.api import Control, Exporter
from maglev.build import this_build
from maglev.descriptors import for_strangers
from maglev.doors import Door
from maglev.listening import check_address, check_socket, listen, opened
from maglev.serving import plain_text
from maglev_grpc.server.access import Caller, Policy
from maglev_grpc.server.audit import Audit
from maglev_grpc.server.calls import LARGEST_REQUEST, SERVICE, handlers
from maglev_grpc.server.changes import Changes
from maglev_grpc.server.options import GrpcOptions
from maglev_grpc.server.reads import Reads
from maglev_grpc.server.relay import BACKLOG, DESCRIPTORS, Relay
from maglev_grpc.server.relay import listen as listen_on_unix
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
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_idle_ms", 300_000),  # without a call; a client connects again with its next one
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),  # no bound: a silent stream is looked after as long as it lasts
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),  # clients may ping twice as often as ours and Go's do
)
_OTHER_CALLS = 256
_METRICS = 16
"""Descriptors that the metrics get first, of those for strangers."""
_LEAST_CONNECTIONS = 8

log = logging.getLogger("maglev.grpc")


class _Carry(Protocol):
    """Has connections to a listening socket carried to gRPC."""

    def __call__(self, outer: socket.socket, *, tls: bool) -> None: ...


class GrpcExporter(Exporter):
    """Serves `maglev.v1.Maglev`, `grpc.health.v1.Health` and, unless switched off, reflection."""

    name: ClassVar[str] = "grpc"
    Options: ClassVar[type[Any]] = GrpcOptions

    def __init__(self, options: GrpcOptions) -> None:
        super().__init__(options)
        self.options: GrpcOptions = options
        self.port: int | None = None
        """The port that is listened on; `None` as long as there is none."""
        self.door: Door[anyio.CancelScope] = Door(options.max_connections, options.max_connections_per_host)
        """Counts connections."""
        self._backends: Callable[[], int] = lambda: 0
        self._policy = Policy(os.geteuid())
        self._keeper: Keeper | None = None
        self.watching: Watching | None = None

    @property
    def enabled(self) -> bool:
        """Whether there is an address or a unix socket to listen on."""
        return bool(self.options.addr or self.options.socket)

    @classmethod
    def check(cls, options: GrpcOptions) -> None:
        """Read certificates and tokens, and look at the address and at the socket's directory."""
        read_secrets(options)
        if options.addr:
            check_address(options.addr)
        if options.socket_path:
            check_socket(options.socket_path)

    async def reload(self, options: GrpcOptions) -> Sequence[str]:
        """Read certificates and tokens again, and take what else can change while serving.

        Raises:
            ValueError: A file cannot be used, or a change needs a restart; nothing was changed.
        """
        secrets = await anyio.to_thread.run_sync(read_secrets, options, abandon_on_cancel=True)
        differences: Sequence[str] = ()
        if self._keeper is not None:
            differences = secrets.differences(self._keeper.secrets)
            self._keeper.replace(secrets)
        self.options = options
        self._make_room()
        return differences

    async def serve(self, control: Control, ready: Callable[[], None]) -> None:
        """Serve until cancelled; then end streams, let running calls finish, and close."""
        self._keeper = Keeper(await anyio.to_thread.run_sync(read_secrets, self.options))
        build = await anyio.to_thread.run_sync(this_build)
        options = self.options
        self._backends = lambda: len(control.metrics().backends)
        self._make_room()
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
        async with self._relay(server) as carry:
            await server.start()
            try:
                await self._listen(carry, ready)
            finally:
                with anyio.CancelScope(shield=True):
                    await health.enter_graceful_shutdown()
                    watching.close()
                    await changes.close(DRAIN_S)
                    await server.stop(DRAIN_S)

    def _make_room(self) -> None:
        """Let as many in as the options say, and no more than descriptors allow."""
        room = (for_strangers(self._backends()) - _METRICS) // DESCRIPTORS
        self.door.most = max(_LEAST_CONNECTIONS, min(self.options.max_connections, room))
        self.door.each = self.options.max_connections_per_host

    @asynccontextmanager
    async def _relay(self, server: grpc.aio.Server) -> AsyncIterator[_Carry]:
        async with AsyncExitStack() as stack:
            relay = await anyio.to_thread.run_sync(Relay, self.door)
            stack.push_async_callback(_in_peace, relay.close)
            self._policy = Policy(os.geteuid(), relay=relay.prefix)
            server.add_insecure_port(f"unix:{relay.in_clear}")
            credentials = self._keeper.credentials() if self._keeper else None
            if credentials is not None:
                server.add_secure_port(f"unix:{relay.in_tls}", credentials)
            carrying: set[asyncio.Task[None]] = set()

            def carry(outer: socket.socket, *, tls: bool) -> None:
                stack.enter_context(outer)
                if outer.family == socket.AF_UNIX:
                    stack.push_async_callback(_in_peace, Path(outer.getsockname()).unlink)
                # In a task outside of the exporter's cancellation: calls are drained through it.
                inner = relay.in_tls if tls else relay.in_clear
                carrying.add(asyncio.get_running_loop().create_task(relay.run(outer, inner)))

            try:
                yield carry
            finally:
                for task in carrying:
                    task.cancel()
                with anyio.CancelScope(shield=True):
                    if carrying:
                        await asyncio.wait(carrying)

    async def _listen(self, carry: _Carry, ready: Callable[[], None]) -> None:
        """Listen on all that is asked for until cancelled; what cannot be opened does not keep the rest from it."""
        wanted = self._wanted()
        serving: set[str] = set()

        def tried() -> None:
            if serving and len(serving) + len(self.troubles) == len(wanted):
                ready()

        def failed(what: str, why: str) -> None:
            self.trouble(what, why)
            log.warning("cannot-listen", extra={"maglev_fields": {"exporter": self.name, "problem": why}})
            tried()

        async def serve_one(what: str) -> None:
            make, tls = wanted[what]
            outer = await opened(make, partial(failed, what))
            carry(outer, tls=tls)
            if outer.family != socket.AF_UNIX:
                self._opened(outer, tls=tls)
            self.trouble(what, None)
            serving.add(what)
            tried()

        async with anyio.create_task_group() as tasks:
            for what in wanted:
                tasks.start_soon(serve_one, what)
            await anyio.sleep_forever()

    def _wanted(self) -> dict[str, tuple[Callable[[], socket.socket], bool]]:
        """By address or path: what opens it, and whether it speaks TLS."""
        wanted: dict[str, tuple[Callable[[], socket.socket], bool]] = {}
        if addr := self.options.addr:
            wanted[addr] = partial(_tcp, addr), self._keeper is not None and self._keeper.secrets.mode != "clear"
        if path := self.options.socket_path:
            wanted[path] = partial(listen_on_unix, path), False
        return wanted

    def _opened(self, outer: socket.socket, *, tls: bool) -> None:
        self.port = outer.getsockname()[1]
        if warning := plain_text(outer, tls=tls):
            if self.options.allow_remote_writes:
                warning += ", and everybody may change things"
            log.warning("plain-text", extra={"maglev_fields": {"exporter": self.name, "problem": warning}})

    def _identify(self, context: Any) -> Caller:
        policy = attrs.evolve(
            self._policy,
            allow_remote_writes=self.options.allow_remote_writes,
            local_writes=self.options.local_writes,
        )
        secrets = self._keeper.secrets if self._keeper else Secrets()
        return policy.decide(context.peer(), context.auth_context(), context.invocation_metadata() or (), secrets)


def _tcp(addr: str) -> socket.socket:
    outer = listen(addr, BACKLOG)
    outer.setblocking(False)
    outer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it
    return outer


async def _in_peace(clean_up: Callable[[], object]) -> None:
    with anyio.CancelScope(shield=True), contextlib.suppress(OSError):  # somebody tidied up before us
        await anyio.to_thread.run_sync(clean_up)
