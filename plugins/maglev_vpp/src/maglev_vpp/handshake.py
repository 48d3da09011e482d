"""Connects to VPP's API: registers as a client, reads VPP's message table and definitions, and checks them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import anyio.to_thread

from maglev.api import DataplaneError, DataplaneInfo, FlowHash
from maglev_vpp.codec import Codec
from maglev_vpp.connection import ApiConnection
from maglev_vpp.definitions import client_messages, messages_of
from maglev_vpp.messages import CLIENT, OPTIONAL, REQUIRED, is_request, mismatch
from maglev_vpp.options import Timings

CLIENT_NAME = "vpp-maglev"


class VppAbsent(DataplaneError):
    """Nobody listens on one of VPP's sockets."""


@contextmanager
def absent_if_refused(path: str) -> Iterator[None]:
    """Raise `VppAbsent` where connecting to a socket fails because nobody listens."""
    try:
        yield
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise VppAbsent(f"VPP is not there: {path}: {error.strerror}") from None


@asynccontextmanager
async def open_api(path: str, timings: Timings) -> AsyncIterator[tuple[ApiConnection, DataplaneInfo]]:
    """Connect to VPP's API; the connection is closed when the context ends.

    Raises:
        VppAbsent: Nobody listens on the socket.
        DataplaneError: What listens is not a VPP that can be used, or does not answer in time.
    """
    codec = Codec(await anyio.to_thread.run_sync(client_messages))
    connection = ApiConnection(codec, timings, path)
    loop = asyncio.get_running_loop()
    try:
        try:
            with anyio.fail_after(timings.connect_s):
                with absent_if_refused(path):
                    await loop.create_unix_connection(lambda: connection, path)
                info = await _handshake(connection)
        except TimeoutError:
            raise DataplaneError(f"VPP's API at {path} has not answered within {timings.connect_s:g} s") from None
        except OSError as error:
            raise DataplaneError(f"VPP's API at {path}: {error.strerror or error}") from error
        yield connection, info
    finally:
        with anyio.CancelScope(shield=True):
            await connection.close()


async def _handshake(connection: ApiConnection) -> DataplaneInfo:
    table = await _register(connection)
    usable = {name for name, crc in (REQUIRED | OPTIONAL).items() if f"{name}_{crc}" in table}
    if not OPTIONAL.keys() <= usable:
        usable -= OPTIONAL.keys()  # a request without its reply is of no use
    definitions = await connection.call("get_api_json")
    try:
        connection.codec.messages |= await messages_of(definitions.json, usable)
    except ValueError as error:
        raise DataplaneError(f"VPP's message definitions cannot be parsed: {error}") from error
    version, build_date = "of unknown version", ""
    if {"show_version", "show_version_reply"} <= usable:
        reply = await connection.call("show_version")
        version, build_date = reply.version, reply.build_date
    if lacking := mismatch(table.keys(), REQUIRED):
        raise DataplaneError(f"VPP {version} cannot be used: {lacking}")
    ping = await connection.call("control_ping")
    missing = [name for name in OPTIONAL if is_request(name) and name not in usable]
    return DataplaneInfo(
        name="vpp",
        version=version,
        boot_id=str(ping.vpe_pid),
        flow_hash=await anyio.to_thread.run_sync(flow_hash),
        capabilities=frozenset({"entries"}),
        missing=tuple(f"counters of routes: VPP lacks {name}" for name in missing),
        build_date=build_date,
        pid=ping.vpe_pid,
        connected_at_s=time.time(),
    )


async def _register(connection: ApiConnection) -> dict[str, int]:
    reply = await connection.call("sockclnt_create", name=CLIENT_NAME)
    if reply.response < 0:
        raise DataplaneError(f"VPP's API at {connection.path} refused the client: {reply.response}")
    table = {entry.name: entry.index for entry in reply.message_table}
    if lacking := mismatch(table.keys(), CLIENT):
        raise DataplaneError(f"VPP's API at {connection.path} cannot be used: {lacking}")
    connection.codec.set_table(reply.index, table)
    return table


def flow_hash(cpuinfo: Path = Path("/proc/cpuinfo")) -> FlowHash:
    """Return how VPP hashes flows on this machine: with CRC-32C if the CPU has instructions for it."""
    words = set(cpuinfo.read_text().split())
    return "crc32c" if words & {"sse4_2", "crc32"} else "xxhash"
