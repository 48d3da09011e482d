"""`watch events`: the present state and every change, until enough, a key or Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
import tty
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any

from maglev.api import EventFilter, EventKind
from maglev_cli.grammar import Parsed
from maglev_cli.tree import LEVELS
from maglev_grpc.client import Client
from maglev_grpc.convert import watch_request

_KINDS: Mapping[str, tuple[EventKind, ...]] = {
    "log": (EventKind.LOG,),
    "backend": (EventKind.BACKEND,),
    "frontend": (EventKind.FRONTEND, EventKind.WEIGHT),
    "dataplane": (EventKind.DATAPLANE, EventKind.SYNC),
    "probe": (EventKind.PROBE, EventKind.LAG),
}
"""What each word of the command stands for."""


def filter_of(line: Parsed) -> EventFilter:
    """Which events a line asks for."""
    kinds = frozenset(kind for word, kinds in _KINDS.items() if line.has(word) for kind in kinds)
    level = next((level for level in LEVELS if line.has(level)), "info")
    return EventFilter(kinds=kinds or EventFilter().kinds, log_level=level)


async def watch(client: Client, line: Parsed, write: Callable[[Any], None]) -> None:
    """Write events until there are enough of them, a key is pressed on the terminal, or Ctrl-C is.

    Args:
        client: Gives them.
        line: The command.
        write: Takes each event's message.

    Raises:
        ClientError: They end, or cannot be had.
    """
    left = int(line.values.get("num", "0"))
    task = asyncio.ensure_future(_write_all(client, line, write, left))
    with _stopped_by(task.cancel):
        await asyncio.wait((task,))
    if not task.cancelled():
        await task


async def _write_all(client: Client, line: Parsed, write: Callable[[Any], None], left: int) -> None:
    async with aclosing(_events(client, line)) as events:
        async for event in events:
            write(event)
            left -= 1
            if left == 0:
                return


async def _events(client: Client, line: Parsed) -> AsyncGenerator[Any, None]:
    async with aclosing(client.stream("WatchEvents", watch_request(filter_of(line)))) as responses:
        async for response in responses:
            for event in response.events:
                yield event


@contextmanager
def _stopped_by(stop: Callable[[], object]) -> Iterator[None]:
    """Stop at Ctrl-C, and at any key if standard input is a terminal."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop)
    try:
        if sys.stdin.isatty():
            with _keys(loop, stop):
                yield
        else:
            yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


@contextmanager
def _keys(loop: asyncio.AbstractEventLoop, stop: Callable[[], object]) -> Iterator[None]:
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)

    def pressed() -> None:
        os.read(terminal, 1024)
        loop.remove_reader(terminal)
        stop()

    tty.setcbreak(terminal)
    loop.add_reader(terminal, pressed)
    try:
        yield
    finally:
        loop.remove_reader(terminal)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
