"""The dataplane `vpp`, and how to connect."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, ClassVar

import anyio
import attrs

from maglev.api import Dataplane, DataplaneError, DataplaneState, Session
from maglev_vpp import memory
from maglev_vpp.handshake import VppAbsent, open_api
from maglev_vpp.leaks import Leaks
from maglev_vpp.options import Timings, VppOptions
from maglev_vpp.session import VppSession
from maglev_vpp.stats import BOOT_TIME, open_stats

log = logging.getLogger("maglev.vpp")


class VppDataplane(Dataplane):
    """VPP's lb plugin."""

    name: ClassVar[str] = "vpp"
    Options: ClassVar[type[Any]] = VppOptions
    needs_source_addresses: ClassVar[bool] = True
    needs_routed_servers: ClassVar[bool] = True
    carries_probes: ClassVar[bool] = True

    def __init__(self, options: VppOptions, timings: Timings | None = None) -> None:
        super().__init__(options)
        self.timings = timings or Timings()
        self._absent = ""
        self._leaks = Leaks()

    def needs(self, wanted: DataplaneState) -> str:
        """Say what memory VPP needs."""
        return memory.needs(wanted)

    @property
    def enabled(self) -> bool:
        """Whether there is anything to connect to."""
        return bool(self.options.api_addr)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Session]:
        """Connect to both sockets. A socket that is absent is waited for, so that a restarted VPP is found at once.

        Raises:
            DataplaneError: VPP is switched off, absent for too long, or cannot be used.
        """
        if not self.enabled:
            raise DataplaneError("VPP is switched off: vpp-api-addr is empty")
        async with AsyncExitStack() as stack:
            yield await self._wait_for_session(stack)

    async def _wait_for_session(self, stack: AsyncExitStack) -> Session:
        # Once the core knows that VPP is absent, raising again would only add the core's back-off.
        until_s = time.monotonic() + (self.timings.wait_again_s if self._absent else self.timings.wait_s)
        while True:
            try:
                session = await stack.enter_async_context(self._open_session())
            except VppAbsent as error:
                if self._absent != str(error):
                    log.info("%s; looking for it every %g s", error, self.timings.poll_s)
                    self._absent = str(error)
                if time.monotonic() >= until_s:
                    raise
            else:
                self._absent = ""
                return session
            await anyio.sleep(self.timings.poll_s)

    @asynccontextmanager
    async def _open_session(self) -> AsyncIterator[Session]:
        """Connect to the API, then to the statistics: while the API connection lives, they are of the same VPP."""
        stats_addr = self.options.stats_addr
        if stats_addr and not await anyio.Path(stats_addr).exists():
            raise VppAbsent(f"VPP is not there: {stats_addr}: No such file or directory")
        async with open_api(self.options.api_addr, self.timings) as (connection, info):
            if not stats_addr:
                lacking = "counters, and the time of VPP's start: vpp-stats-addr is empty"
                yield VppSession(connection, None, attrs.evolve(info, missing=(*info.missing, lacking)), self._leaks)
                return
            async with open_stats(stats_addr, self.timings.call_s) as stats:
                boot_s = await stats.read(lambda segment: int(segment[BOOT_TIME]))
                capabilities = info.capabilities | {"counters"}
                boot_id = f"{boot_s}-{info.boot_id}"
                full = attrs.evolve(info, boot_id=boot_id, boot_time_s=boot_s, capabilities=capabilities)
                yield VppSession(connection, stats, full, self._leaks)
