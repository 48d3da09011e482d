"""From a socket to a channel that speaks: who is there, what it can, and how its messages are made."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import anyio
import attrs

from maglev.api import DataplaneError
from maglev_vpp.channel import Channel
from maglev_vpp.definitions import Messages, client_messages, messages_of
from maglev_vpp.messages import CLIENT, OPTIONAL, REQUIRED, shortfall
from maglev_vpp.timings import Timings

CLIENT_NAME = "vpp-maglev"


@attrs.frozen
class Vpp:
    """Who answered.

    Args:
        version: VPP's version.
        build_date: When it was built, as it says it.
        pid: Its process id.
        missing: Optional messages that it lacks.
    """

    version: str
    build_date: str
    pid: int
    missing: tuple[str, ...] = ()


class Library:
    """Definitions that were read before: a VPP with the same checksums needs not be asked again."""

    def __init__(self) -> None:
        self._client: Messages | None = None
        self._known: dict[frozenset[str], Messages] = {}

    async def client(self) -> Messages:
        """How clients come and go."""
        if self._client is None:
            self._client = await client_messages()
        return self._client

    async def of(self, channel: Channel, table: Mapping[str, int]) -> Messages:
        """Our messages as this VPP defines them.

        Raises:
            DataplaneError: It could not be asked, or its answer could not be understood.
        """
        wanted = {**REQUIRED, **OPTIONAL}
        key = frozenset(table).intersection(f"{name}_{crc}" for name, crc in wanted.items())
        if key not in self._known:
            names = {entry.rpartition("_")[0] for entry in key}
            reply = await channel.call("get_api_json")
            try:
                messages = await messages_of(reply.json, names)
            except ValueError as error:
                raise DataplaneError(f"VPP's definitions of its messages cannot be understood: {error}") from error
            self._known = {key: messages}
        return self._known[key]


async def open_channel(path: str, timings: Timings, library: Library) -> tuple[Channel, Vpp]:
    """Connect to VPP's API.

    Args:
        path: Its unix socket.
        timings: Deadlines.
        library: Definitions read before.

    Raises:
        FileNotFoundError: There is no such socket.
        ConnectionRefusedError: Nobody listens on it.
        DataplaneError: Somebody does, but it is no VPP that can be worked with, or does not answer in time.
    """
    client = await library.client()
    loop = asyncio.get_running_loop()
    channel: Channel | None = None
    try:
        with anyio.fail_after(timings.connect_s):
            _transport, channel = await loop.create_unix_connection(lambda: Channel(timings, path), path)
            return channel, await _introduce(channel, client, library)
    except TimeoutError:
        await _drop(channel)
        raise DataplaneError(f"VPP's API at {path} has not answered within {timings.connect_s:g} s") from None
    except (FileNotFoundError, ConnectionRefusedError):
        raise
    except OSError as error:
        raise DataplaneError(f"VPP's API at {path}: {error.strerror or error}") from error
    except BaseException:
        await _drop(channel)
        raise


async def _drop(channel: Channel | None) -> None:
    if channel is not None:
        with anyio.CancelScope(shield=True):
            await channel.close()


async def _introduce(channel: Channel, client: Messages, library: Library) -> Vpp:
    table = await _message_table(channel, client)
    messages = await library.of(channel, table)
    ids = {entry.rpartition("_")[0]: number for entry, number in table.items()}
    channel.learn(messages, ids)
    version, build_date = "of unknown version", ""
    if "show_version" in messages and "show_version_reply" in messages:
        reply = await channel.call("show_version")
        version, build_date = reply.version, reply.build_date
    if lacking := shortfall(table.keys(), REQUIRED):
        raise DataplaneError(f"VPP {version} cannot be worked with: {lacking}")
    ping = await channel.call("control_ping")
    return Vpp(version, build_date, ping.vpe_pid, shortfall(table.keys(), OPTIONAL).absent)


async def _message_table(channel: Channel, client: Messages) -> dict[str, int]:
    channel.learn(client, {})
    reply = await channel.call("sockclnt_create", name=CLIENT_NAME)
    if reply.response < 0:
        raise DataplaneError(f"VPP's API at {channel.path} refused the client: {reply.response}")
    table = {entry.name: entry.index for entry in reply.message_table}
    if lacking := shortfall(table.keys(), CLIENT):
        raise DataplaneError(f"VPP's API at {channel.path} cannot be worked with: {lacking}")
    channel.learn(client, {name: table[f"{name}_{crc}"] for name, crc in CLIENT.items()})
    channel.client_index = reply.index
    return table
