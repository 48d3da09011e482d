"""Run by the test inside the new environment: a health check of type redis, against a server on loopback.

Prints how the backend was judged, first while the server answers, then after it has stopped.
"""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
from anyio.abc import SocketAttribute, SocketStream

import maglev
from maglev.api import BackendEvent, BackendState, Control, EventFilter, EventKind

CONFIG = """
maglev:
  healthchecks:
    cache: {type: redis, port: PORT, params: {password: secret}, interval: 50ms, rise: 1, fall: 1}
  backends:
    redis0: {address: 127.0.0.1, healthcheck: cache}
  frontends:
    cache: {address: 192.0.2.1, protocol: tcp, port: 6379, pools: [{name: primary, backends: {redis0: {}}}]}
"""
BACKEND_EVENTS = EventFilter(kinds=frozenset({EventKind.BACKEND}))


async def be_redis(stream: SocketStream) -> None:
    """Answer one client as a redis whose password is `secret`."""
    wanted = b"*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\nPING\r\n"
    async with stream:
        said = b""
        while said != wanted:
            said += await stream.receive()
        await stream.send(b"+OK\r\n+PO")
        await stream.send(b"NG\r\n")


async def verdict(control: Control, wanted: BackendState) -> str:
    """Wait until the backend is in a state, and tell why."""
    async with control.subscribe(BACKEND_EVENTS) as subscription:
        backend = subscription.snapshot.backends["redis0"]
        if backend.state is wanted:
            return f"{wanted}: {backend.last_result}"
        async for delivery in subscription.events:
            if isinstance(delivery.event, BackendEvent) and delivery.event.transition.to_state is wanted:
                return f"{wanted}: {delivery.event.transition.result}"
    raise RuntimeError("the events ended")


async def main(place: Path) -> None:
    """Have the backend judged twice."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    config = anyio.Path(place / "redis.yaml")
    await config.write_text(CONFIG.replace("PORT", str(listener.extra(SocketAttribute.local_port))))
    async with maglev.open_controller(str(config)) as control:
        async with anyio.create_task_group() as server:
            server.start_soon(listener.serve, be_redis)
            print(await verdict(control, BackendState.UP))
            server.cancel_scope.cancel()
        await listener.aclose()
        print(await verdict(control, BackendState.DOWN))


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]))
