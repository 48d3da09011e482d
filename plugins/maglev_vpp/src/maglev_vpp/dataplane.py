"""The dataplane `vpp`: its options, and how to come to a session."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import anyio
import anyio.to_thread
import attrs

from maglev.api import Dataplane, DataplaneError, DataplaneInfo, FlowHash, Session, option
from maglev_vpp.channel import Channel
from maglev_vpp.opening import Library, Vpp, open_channel
from maglev_vpp.session import VppSession
from maglev_vpp.statseg import Statistics, boot_time_s
from maglev_vpp.timings import Timings

log = logging.getLogger("maglev.vpp")


@attrs.frozen
class VppOptions:
    """Where VPP is found."""

    api_addr: str = option(
        "/run/vpp/api.sock",
        help="Unix socket of VPP's binary API; empty switches VPP off",
        flag="vpp-api-addr",
    )
    stats_addr: str = option(
        "/run/vpp/stats.sock",
        help="Unix socket of VPP's statistics; empty does without counters",
        flag="vpp-stats-addr",
    )


class VppDataplane(Dataplane):
    """VPP's lb plugin.

    Args:
        options: Where VPP is found.
        timings: How long to wait for it.
    """

    name: ClassVar[str] = "vpp"
    Options: ClassVar[type[Any]] = VppOptions
    needs_source_addresses: ClassVar[bool] = True
    carries_probes: ClassVar[bool] = True

    def __init__(self, options: VppOptions, timings: Timings | None = None) -> None:
        super().__init__(options)
        self.timings = timings or Timings()
        self._library = Library()
        self._absent = ""

    @property
    def enabled(self) -> bool:
        """Whether there is anything to connect to."""
        return bool(self.options.api_addr)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Session]:
        """Connect to both sockets; waits a while for one that is not there yet, looking again and again.

        So a VPP that restarts is found a fraction of a second after it is back, whatever the core's back-off.
        """
        if not self.enabled:
            raise DataplaneError("VPP is switched off: vpp-api-addr is empty")
        channel, vpp, statistics = await self._when_there()
        try:
            yield VppSession(channel, statistics, await self._info(vpp, statistics))
        finally:
            with anyio.CancelScope(shield=True):
                await _close(channel, statistics)

    async def _when_there(self) -> tuple[Channel, Vpp, Statistics | None]:
        # Once the core knows that nobody is there, raising again would only make it sleep between two looks.
        until_s = time.monotonic() + (self.timings.wait_again_s if self._absent else self.timings.wait_s)
        while True:
            try:
                both = await self._both()
            except (FileNotFoundError, ConnectionRefusedError) as error:
                why = f"VPP is not there: {error.filename}: {error.strerror}"
            else:
                self._absent = ""
                return both
            if self._absent != why:
                log.info("%s; looking for it every %g s", why, self.timings.poll_s)
                self._absent = why
            if time.monotonic() >= until_s:
                raise DataplaneError(why)
            await anyio.sleep(self.timings.poll_s)

    async def _both(self) -> tuple[Channel, Vpp, Statistics | None]:
        """Connect to the API, and then to the statistics: while the API lives, these are the same VPP's."""
        if self.options.stats_addr and not await anyio.Path(self.options.stats_addr).exists():
            raise FileNotFoundError(2, "No such file or directory", self.options.stats_addr)
        channel, vpp = await _named(
            self.options.api_addr, open_channel(self.options.api_addr, self.timings, self._library)
        )
        statistics = Statistics(self.options.stats_addr, self.timings.call_s) if self.options.stats_addr else None
        try:
            if statistics is not None:
                await _named(statistics.path, statistics.connect())
        except BaseException:
            with anyio.CancelScope(shield=True):
                await _close(channel, statistics)
            raise
        return channel, vpp, statistics

    async def _info(self, vpp: Vpp, statistics: Statistics | None) -> DataplaneInfo:
        boot_s = await statistics.read(boot_time_s) if statistics else None
        missing = [f"counters of routes: VPP lacks {name}" for name in vpp.missing]
        if statistics is None:
            missing.append("counters, and the time of VPP's start: vpp-stats-addr is empty")
        return DataplaneInfo(
            name=self.name,
            version=vpp.version,
            boot_id=f"{vpp.pid}" if boot_s is None else f"{boot_s}-{vpp.pid}",
            flow_hash=await anyio.to_thread.run_sync(flow_hash),
            capabilities=frozenset({"flows", "counters"} if statistics else {"flows"}),
            missing=tuple(missing),
            build_date=vpp.build_date,
            pid=vpp.pid,
            boot_time_s=boot_s,
            connected_at_s=time.time(),
        )


async def _named(path: str, opening: Any) -> Any:
    """Put the path into an error that says only that nobody is there."""
    try:
        return await opening
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise type(error)(error.errno, error.strerror, path) from None


async def _close(channel: Channel, statistics: Statistics | None) -> None:
    if statistics is not None:
        statistics.close()
    await channel.close()


def flow_hash(cpuinfo: Path = Path("/proc/cpuinfo")) -> FlowHash:
    """Tell how VPP hashes flows on this machine: it uses the CPU's instructions for CRC-32C where there are any."""
    words = set(cpuinfo.read_text().split())
    return "crc32c" if words & {"sse4_2", "crc32"} else "xxhash"
