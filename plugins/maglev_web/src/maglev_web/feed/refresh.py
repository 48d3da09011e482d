"""Reads again what an event may have changed: single objects after few events, everything after many."""

from __future__ import annotations

import time

import anyio

from maglev.api import UnknownName
from maglev_grpc.client import Client
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from maglev_web.feed.state import State

EVERY_S = 30.0
"""Everything is read this often, whatever events came."""
AFTER_S = 0.25
"""Wait this long after an event, until its consequences have settled in the dataplane."""
FEW = 8
"""Read single objects up to this number, else everything."""
_COST_FACTOR = 10
"""After a reading wait this many times as long as it took, so that reading never takes most of the time."""


class Refresher:
    """Reads a daemon's state again."""

    def __init__(self, client: Client, state: State) -> None:
        self._client = client
        self._state = state
        self._frontends: set[str] = set()
        self._backends: set[str] = set()
        self._all = False
        self._wanted = anyio.Event()
        self._cost_s = 0.0
        self._whole_at_s = time.monotonic()
        self._lock = anyio.Lock()

    def want_all(self) -> None:
        """Have everything read."""
        self._all = True
        self._wanted.set()

    def note(self, event: pb.Event) -> None:
        """Have read what an event concerns."""
        kind = event.WhichOneof("event")
        if kind == "backend":
            self._backends.add(event.backend.backend)
            self._frontends.update(event.backend.frontends)
        elif kind == "frontend":
            self._frontends.add(event.frontend.frontend)
        elif kind == "weight":
            self._frontends.add(event.weight.frontend)
        elif kind == "dataplane":
            self._all = True
        elif kind == "sync" and not _found_nothing(event.sync):
            self._note_sync(event.sync)
        else:
            return
        self._wanted.set()

    def _note_sync(self, event: pb.SyncEvent) -> None:
        if event.frontends and event.scope not in ("reload", "fill"):
            self._frontends.update(event.frontends)
        else:
            self._all = True

    async def due(self) -> None:
        """Wait until something is to be read."""
        with anyio.move_on_after(max(0.0, self._whole_at_s + EVERY_S - time.monotonic())):
            await self._wanted.wait()
            await anyio.sleep(max(AFTER_S, self._cost_s * _COST_FACTOR))
            return
        self._all = True

    async def refresh(self) -> None:
        """Read what is wanted."""
        async with self._lock:
            frontends, backends = self._frontends, self._backends
            whole = self._all or len(frontends) + len(backends) > FEW
            self._frontends, self._backends, self._all = set(), set(), False
            self._wanted = anyio.Event()
            started_s = time.monotonic()
            if whole:
                await self._read_all()
                self._whole_at_s = time.monotonic()
            else:
                await self._read_some(frontends, backends)
            self._cost_s = time.monotonic() - started_s

    async def _read_all(self) -> None:
        try:
            self._state.replace(await self._client.read("GetSnapshot", pb.GetSnapshotRequest()))
        except BaseException:
            self._all = True
            raise

    async def _read_some(self, frontends: set[str], backends: set[str]) -> None:
        try:
            for name in backends:
                self._state.put_backend(await self._client.read("GetBackend", pb.GetBackendRequest(name=name)))
            for name in frontends:
                self._state.put_frontend(await self._client.read("GetFrontend", pb.GetFrontendRequest(name=name)))
        except UnknownName:
            self._all = True  # it left with a reload
            self._wanted.set()


def _found_nothing(event: pb.SyncEvent) -> bool:
    """Whether it was a look at everything that found all as it should be."""
    return event.scope == "periodic" and not (event.frontends or event.operations or event.errors)
