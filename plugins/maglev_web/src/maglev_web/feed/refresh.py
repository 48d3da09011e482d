"""What must be read again after an event, and when: a little after a little, everything after much, at leisure."""

from __future__ import annotations

import time

import anyio

from maglev import api
from maglev_grpc.client import Client
from maglev_web.feed.mirror import Mirror

EVERY_S = 30.0
"""Everything is read so often, whatever was heard."""
AFTER_S = 0.25
"""An event's consequences take so long to settle in the dataplane."""
FEW = 8
_COSTS = 10
"""Reading takes at most one part in so many of the time."""


class Refresher:
    """Reads into a mirror.

    Args:
        client: Of the daemon.
        mirror: Of the daemon.
    """

    def __init__(self, client: Client, mirror: Mirror) -> None:
        self._client = client
        self._mirror = mirror
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

    def note(self, event: api.Event) -> None:
        """Have read what an event concerns."""
        match event:
            case api.BackendEvent():
                self._backends.add(event.backend)
                self._frontends.update(event.frontends)
            case api.FrontendEvent() | api.WeightEvent():
                self._frontends.add(event.frontend)
            case api.SyncEvent() if event.frontends and event.scope not in ("reload", "fill"):
                self._frontends.update(event.frontends)
            case api.SyncEvent() if event.scope == "periodic" and not (event.operations or event.errors):
                return  # it found everything as it should be
            case api.SyncEvent() | api.DataplaneEvent():
                self._all = True
            case _:
                return
        self._wanted.set()

    async def due(self) -> None:
        """Wait until something is to be read."""
        with anyio.move_on_after(max(0.0, self._whole_at_s + EVERY_S - time.monotonic())):
            await self._wanted.wait()
            await anyio.sleep(max(AFTER_S, self._cost_s * _COSTS))
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
            self._mirror.replace(await self._client.snapshot())
        except BaseException:
            self._all = True
            raise

    async def _read_some(self, frontends: set[str], backends: set[str]) -> None:
        try:
            for name in backends:
                self._mirror.put_backend(await self._client.backend(name))
            for name in frontends:
                self._mirror.put_frontend(await self._client.frontend(name))
        except api.UnknownName:
            self._all = True  # it left with a reload
            self._wanted.set()
