"""`watch events`: the present state and every change, until there are enough, a key or Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any

from maglev.api import EventFilter, EventKind
from maglev_cli.grammar import Parsed
from maglev_grpc.client import Client
from maglev_grpc.convert import watch_request

_KINDS: Mapping[str, tuple[EventKind, ...]] = {
    "log": (EventKind.LOG,),
    "backend": (EventKind.BACKEND,),
    "frontend": (EventKind.FRONTEND, EventKind.WEIGHT),
    "dataplane": (EventKind.DATAPLANE, EventKind.SYNC),
    "probe": (EventKind.PROBE, EventKind.LAG),
}
"""The kinds of events that each flag of the command stands for."""


async def watch(client: Client, line: Parsed, write: Callable[[Any], None]) -> None:
    """Write events until there are enough of them, a key is pressed on the terminal, or Ctrl-C is.

    Raises:
        ClientError: They end, or cannot be had.
    """
    task = asyncio.ensure_future(_write_all(client, line, write))
    with on_interrupt(task.cancel), _on_key(task.cancel):
        await asyncio.wait((task,))
    if not task.cancelled():
        await task


async def _write_all(client: Client, line: Parsed, write: Callable[[Any], None]) -> None:
    left = int(line.values.get("num", "0"))
    kinds = frozenset(kind for flag, kinds in _KINDS.items() if line.has(flag) for kind in kinds)
    wanted = EventFilter(kinds=kinds or EventFilter().kinds, log_level=line.values.get("level", "info"))
    async with aclosing(client.stream("WatchEvents", watch_request(wanted))) as responses:
        async for response in responses:
            for event in response.events:
                write(event)
                left -= 1
                if left == 0:
                    return


@contextmanager
def on_interrupt(stop: Callable[[], object]) -> Iterator[None]:
    """Have Ctrl-C call a function, for as long as the context lasts."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


@contextmanager
def _on_key(stop: Callable[[], object]) -> Iterator[None]:
    """Stop at any key, if standard input is a terminal."""
    if not sys.stdin.isatty():
        yield
        return
    from prompt_toolkit.input import create_input  # noqa: PLC0415  (without a terminal, nothing else needs it)

    keyboard = create_input()

    def pressed() -> None:
        if keyboard.read_keys():
            stop()

    with keyboard.raw_mode(), keyboard.attach(pressed):
        yield
