"""All daemons that the dashboard shows."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import anyio

from maglev_grpc.client import Security, connect
from maglev_grpc.convert import json_bytes
from maglev_web.feed.broker import Broker
from maglev_web.feed.daemon import Daemon, summary
from maglev_web.feed.logs import KEEP_S, KEPT


class Daemons:
    """The daemons by name, and the broker of what happens to them.

    Args:
        daemons: In the order of the command line.
        broker: Where their changes go.
        log_broker: Where their log records go.
    """

    def __init__(self, daemons: Sequence[Daemon], broker: Broker, log_broker: Broker | None = None) -> None:
        self.by_name = {daemon.name: daemon for daemon in daemons}
        self.broker = broker
        self.log_broker = log_broker or Broker()

    def close(self) -> None:
        """End all streams of events."""
        self.broker.close()
        self.log_broker.close()

    def state(self) -> bytes:
        """Everything, as JSON, with the id of the newest message that it contains."""
        return self._with_id(*self.by_name.values())

    def state_of(self, name: str) -> bytes | None:
        """One daemon's, likewise; `None` if there is none of this name."""
        daemon = self.by_name.get(name)
        return None if daemon is None else self._with_id(daemon)

    def _with_id(self, *daemons: Daemon) -> bytes:
        head = {"id": self.broker.position, "at_s": time.time()}
        return json_bytes(head)[:-1] + b',"maglevds":[' + b",".join(daemon.whole() for daemon in daemons) + b"]}"

    def summaries(self) -> bytes:
        """The list of daemons, as JSON."""
        return json_bytes([summary(daemon) for daemon in self.by_name.values()])


@asynccontextmanager
async def watching(servers: Sequence[str], security: Security | None = None) -> AsyncIterator[Daemons]:
    """Connect to all servers and keep up with them while the context lasts.

    Args:
        servers: Where they are, as the operator wrote it; each one's name.
        security: How to speak to them.

    Raises:
        ValueError: A server's name makes no sense, or a file of `security` cannot be used.
    """
    broker, log_broker = Broker(), Broker(keep=KEPT, keep_s=KEEP_S)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connect(server, security)) for server in servers]
        pairs = zip(servers, clients, strict=True)
        daemons = Daemons([Daemon(name, client, broker, log_broker) for name, client in pairs], broker, log_broker)
        tasks = await stack.enter_async_context(anyio.create_task_group())
        for daemon in daemons.by_name.values():
            tasks.start_soon(daemon.run)
        try:
            yield daemons
        finally:
            daemons.close()
            tasks.cancel_scope.cancel()
