"""Follow a running maglevd over gRPC: print the state of every backend, then every change; reconnect when necessary.

python examples/grpc_watch.py
python examples/grpc_watch.py lb1.example.org:9090 --ca ca.crt --changes 10
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

from maglev.api import BackendEvent, Event, EventFilter, EventKind, FrontendEvent, WeightEvent
from maglev_grpc.client import Connected, Disconnected, Item, Security, Watched, connect

WANTED = EventFilter(kinds=frozenset({EventKind.BACKEND, EventKind.FRONTEND, EventKind.WEIGHT}))


def describe(event: Event) -> str:
    """Describe a change."""
    match event:
        case BackendEvent():
            change = event.transition
            why = change.result or change.why
            return f"backend {event.backend}: {change.from_state} -> {change.to_state} ({why})"
        case FrontendEvent():
            pool = f"pool {event.active_pool}: {event.why}"
            return f"frontend {event.frontend}: {event.from_state} -> {event.to_state} ({pool})"
        case WeightEvent():
            change_of = f"{event.frontend}/{event.pool}/{event.backend}"
            return f"weight {change_of}: {event.previous} -> {event.effective} ({event.reason})"
        case _:
            return str(event)


def lines(item: Item) -> list[str]:
    """What to print for one item of a watch."""
    match item:
        case Connected(snapshot):
            backends = [f"backend {backend.name} is {backend.state}" for backend in snapshot.backends.values()]
            return [f"connected to maglevd {snapshot.version}", *backends]
        case Disconnected(why, retry_in_s):
            return [f"{why}; again in {retry_in_s:.1f} s"]
        case Watched(delivery):
            lost = [f"({delivery.lost} events were lost)"] if delivery.lost else []
            return [*lost, describe(delivery.event)]


async def follow(server: str, security: Security, changes: int | None) -> None:
    """Print until interrupted, or until so many changes were seen.

    Args:
        server: Where the daemon is.
        security: How to speak to it.
        changes: How many changes to print; `None` for ever.
    """
    seen = 0
    async with connect(server, security) as client, aclosing(client.watch(WANTED)) as items:
        async for item in items:
            print(*lines(item), sep="\n", flush=True)
            seen += isinstance(item, Watched)
            if seen == changes:
                return


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and follow."""
    parser = argparse.ArgumentParser(description="Follow a running maglevd over gRPC.")
    parser.add_argument("server", nargs="?", default="localhost:9090", help="host:port or unix:/path")
    parser.add_argument("--ca", type=Path, help="certificates to check the server's against: speak TLS")
    parser.add_argument("--changes", type=int, help="stop after so many changes")
    options = parser.parse_args(arguments)
    try:
        asyncio.run(follow(options.server, Security(ca=options.ca), options.changes))
    except KeyboardInterrupt:
        print("interrupted")


if __name__ == "__main__":
    main()
