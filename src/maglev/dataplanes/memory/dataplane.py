"""The dataplane `memory`: VPP's tables and refusals, in this process's memory."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import ClassVar

from maglev.api import Dataplane, Flow, NoOptions, Session, VipKey
from maglev.dataplanes.memory.store import MemoryStore
from maglev.domain.table import Address


class MemoryDataplane(Dataplane):
    """A dataplane without packets: to try a configuration, to embed maglevd, to test against.

    Its state lasts as long as the store, over any number of sessions.

    Args:
        options: It has none.
        store: Its state; by default one of its own.
    """

    name: ClassVar[str] = "memory"

    def __init__(self, options: NoOptions | None = None, *, store: MemoryStore | None = None) -> None:
        super().__init__(options or NoOptions())
        self.store = store or MemoryStore()

    def connect(self) -> AbstractAsyncContextManager[Session]:
        return self.store.session()

    async def server_for(self, vip: VipKey, flow: Flow) -> Address | None:
        """Return the server that the next packet of a flow gets; see `Traffic.server_for`."""
        return await self.store.traffic.server_for(vip, flow)

    async def send(self, vip: VipKey, flow: Flow) -> Address | None:
        """Send one packet of a flow; see `Traffic.send`."""
        return await self.store.traffic.send(vip, flow)


def dataplane_over(store: MemoryStore) -> type[MemoryDataplane]:
    """Return a memory dataplane class, to register with a daemon, whose instances share one store."""

    class Shared(MemoryDataplane):
        """A memory dataplane over the given store."""

        def __init__(self, options: NoOptions | None = None) -> None:
            super().__init__(options, store=store)

    return Shared
