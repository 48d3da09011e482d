"""Watch some URLs from inside a program, and print each change: maglevd as a library.

    python examples/embed.py http://192.0.2.1/ https://www.example.org/health http://[2001:db8::1]:8080/
    python examples/embed.py

Without URLs it watches three servers of its own on loopback, closes one, and stops when that was detected. There are
backends and no frontends: nothing is balanced.
"""

from __future__ import annotations

import argparse
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import anyio
import anyio.abc

import maglev

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"


def configuration(urls: Sequence[str], interval_s: float) -> maglev.Config:
    """Make a configuration with a health check and a backend for each URL.

    Args:
        urls: What to watch.
        interval_s: Seconds from one probe of a URL to the next.
    """
    checks, backends = {}, {}
    for url in urls:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host = parts.hostname or ""
        checks[url] = maglev.HealthCheckConfig(
            type=parts.scheme,
            port=port,
            params={"path": parts.path or "/", "host": host},
            interval=interval_s,
            timeout=min(1.0, interval_s),
            fall=2,
        )
        # A backend is an address: names are looked up once, here.
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]
        backends[url] = maglev.BackendConfig(address=str(address), healthcheck=url)
    return maglev.Config(healthchecks=checks, backends=backends)


async def watch(config: maglev.Config, on_event: Callable[[maglev.BackendEvent], object]) -> None:
    """Report each change of each backend, until cancelled.

    Args:
        config: The backends.
        on_event: Called with each change.
    """
    wanted = maglev.EventFilter(frozenset({maglev.EventKind.BACKEND}))
    async with maglev.open_controller(config) as control, control.subscribe(wanted) as subscription:
        async for delivery in subscription.events:
            if isinstance(delivery.event, maglev.BackendEvent):
                on_event(delivery.event)


def line(event: maglev.BackendEvent) -> str:
    """Return a change as a line of text."""
    change = event.transition
    return f"{event.backend}  {change.from_state} -> {change.to_state}  {change.result or change.why}"


async def watch_own_servers(interval_s: float) -> None:
    """Watch three servers on loopback, close the second once it is up, and return once it is down."""
    async with server() as (first, _), server() as (second, close), server() as (third, _):
        with anyio.CancelScope() as watching:

            def on_event(event: maglev.BackendEvent) -> None:
                print(line(event), flush=True)
                state = event.transition.to_state
                if event.backend == second and state is maglev.BackendState.UP:
                    print(f"{second}  is closed now", flush=True)
                    close.cancel()
                elif event.backend == second and state is maglev.BackendState.DOWN:
                    watching.cancel()

            await watch(configuration([first, second, third], interval_s), on_event)


@asynccontextmanager
async def server() -> AsyncIterator[tuple[str, anyio.CancelScope]]:
    """Run an HTTP server on loopback; gives its URL, and a scope to cancel to close it."""

    async def answer(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(OK)

    async def serve() -> None:
        with closing:
            async with listener:
                await listener.serve(answer)

    closing = anyio.CancelScope()
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - named like Django's, but is not
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        yield f"http://127.0.0.1:{port}/", closing
        closing.cancel()


def main(arguments: Sequence[str] | None = None) -> None:
    """Watch the URLs of the command line."""
    parser = argparse.ArgumentParser(description="Watch URLs and print each change.")
    parser.add_argument("urls", nargs="*", metavar="URL", help="http or https; none: three servers of its own")
    parser.add_argument("--interval", type=float, default=1.0, metavar="SECONDS", help="between probes (default: 1)")
    options = parser.parse_args(arguments)
    if not options.urls:
        anyio.run(watch_own_servers, options.interval)
        return
    with suppress(KeyboardInterrupt):
        anyio.run(watch, configuration(options.urls, options.interval), lambda event: print(line(event), flush=True))


if __name__ == "__main__":
    main()
