"""Watches the events of a daemon fifty times, and reads none; `python idle_watchers.py HOST:PORT`."""

from __future__ import annotations

import sys
from typing import Any

import grpc

WATCHERS = 50
METHOD = "/maglev.v1.Maglev/WatchEvents"


def main(target: str) -> None:
    """Open the streams, say so, and wait."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.insecure_channel(target, options=options) for _ in range(WATCHERS)]
    watches: list[Any] = [one.unary_stream(METHOD) for one in channels]
    calls = [watch(b"") for watch in watches]
    for call in calls:
        next(call)
    sys.stdout.write("watching\n")
    sys.stdout.flush()
    sys.stdin.read()
    for call in calls:
        call.cancel()


if __name__ == "__main__":
    main(sys.argv[1])
