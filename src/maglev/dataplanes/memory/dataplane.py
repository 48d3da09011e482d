"""The reference dataplane: exactly VPP's tables and refusals, in this process's memory."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import ClassVar

from maglev.api import Dataplane, Flow, NoOptions, Session, VipKey
from maglev.dataplanes.memory.store import MemoryStore
from maglev.domain.table import Address


class MemoryDataplane(Dataplane):
    """A dataplane without packets: to try a configuration, to embed maglevd, to test against.

    What it holds lives as long as this object, over any number of sessions; in a `MemoryStore` of one's own it lives
    longer.

    Args:
        options: It has none.
        store: What it holds.
    """

    name: ClassVar[str] = "memory"

    def __init__(self, options: NoOptions | None = None, *, store: MemoryStore | None = None) -> None:
        super().__init__(options or NoOptions())
        self.store = store or MemoryStore()

    def connect(self) -> AbstractAsyncContextManager[Session]:
        return self.store.session()

    async def server_for(self, vip: VipKey, flow: Flow) -> Address | None:
        """Tell which server the next packet of a flow gets, established or new; `None` if no server has weight.

        Args:
            vip: The VIP it is sent to.
            flow: The flow; what it leaves out is the VIP's own.

        Raises:
            KeyError: There is no such VIP.
        """
        return await self.store.traffic.server_for(vip, flow)

    async def send(self, vip: VipKey, flow: Flow) -> Address | None:
        """Let one packet through, counted, and a new flow established; as `server_for` otherwise."""
        return await self.store.traffic.send(vip, flow)


def dataplane_over(store: MemoryStore) -> type[MemoryDataplane]:
    """Return a class to register as the memory dataplane of a daemon, all instances of which hold the same.

    Args:
        store: What they hold.
    """

    class Shared(MemoryDataplane):
        """A memory dataplane over a store that was there before it."""

        def __init__(self, options: NoOptions | None = None) -> None:
            super().__init__(options, store=store)

    return Shared
