"""The stand-in's process: VPP's two sockets, a third to control it, and its faults."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import struct
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from .api import Api, Client, wide, wide_address
from .definitions import OF_WEIGHTS, Vocabulary
from .faults import Faults
from .lb import GRE4, WORKERS, Abort, Lb, Server, Vip
from .meddler import Meddler
from .statseg import StatsSegment

FRAME = struct.Struct(">QII")
COLLECTION_S, HEARTBEAT_S = 60.0, 10.0
POINTER = 0x7F0000001234
"""VPP's frames start with a pointer, which is meaningless to others."""


def framed(message: bytes) -> bytes:
    """Put a header before a message."""
    return FRAME.pack(POINTER, len(message), 0) + message


class Standin:
    """A process that speaks VPP's API.

    Args:
        folder: Where its sockets are: `api.sock`, `stats.sock`, `control.sock`.
        vocabulary: The messages that it knows.
    """

    def __init__(self, folder: Path, vocabulary: Vocabulary) -> None:
        self.folder = folder
        self.lb = Lb()
        self.api = Api(vocabulary, self.lb)
        self.stats = StatsSegment()
        self.faults = Faults()
        self.meddler = Meddler()
        self.clients: dict[asyncio.StreamWriter, Client] = {}
        self._go_on = asyncio.Event()
        self._go_on.set()

    # ------------------------------------------------------------------------------------------------- the API

    async def serve_api(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        self.clients[writer] = Client()
        rest = b""
        with contextlib.suppress(ConnectionError):  # a client may vanish
            while data := await reader.read(1 << 18):
                rest = await self._all_of(rest + data, writer)
                await writer.drain()
        del self.clients[writer]
        writer.close()

    async def _all_of(self, data: bytes, writer: asyncio.StreamWriter) -> bytes:
        at = 0
        out: list[bytes] = []
        while len(data) - at >= FRAME.size:
            end = at + FRAME.size + FRAME.unpack_from(data, at)[1]
            if end > len(data):
                break
            if self.faults.hang or self.faults.delay_s:
                writer.write(b"".join(out))
                out.clear()
                await asyncio.sleep(self.faults.delay_s)
                await self._go_on.wait()
            out += self._one(data[at + FRAME.size : end], writer, out)
            at = end
        writer.write(b"".join(out))
        if out:
            self.publish_if_new()
        return data[at:]

    def _one(self, message: bytes, writer: asyncio.StreamWriter, out: list[bytes]) -> list[bytes]:
        name = self.api.name_of(message) or ""
        if self.faults.refuse.get(name):
            retval = self.faults.refuse[name].pop(0)
            if retval:
                return [framed(self.api.refusal(message, retval))]
        if name == "memclnt_keepalive_reply":
            self.api.kept_alive += 1
        try:
            self.meddler.before(name, self.lb)
            answers = self.api.answer(message, self.clients[writer])
            self.meddler.after(name, message, answers)
            replies = [framed(reply) for reply in answers]
        except Abort:
            os.abort()
        if name and name == self.faults.die_in:
            self._die(writer, b"".join(out + replies)[:-3])
        return [] if self.faults.takes(self.faults.drop, name) else replies

    def _die(self, writer: asyncio.StreamWriter, last_bytes: bytes) -> None:
        # Not through the event loop: what is written now is all that the client gets.
        descriptor = os.dup(writer.get_extra_info("socket").fileno())
        os.write(descriptor, last_bytes)
        os.kill(os.getpid(), signal.SIGKILL)

    async def collect(self) -> None:
        """Collect what was removed, as often as VPP does."""
        while True:
            await asyncio.sleep(COLLECTION_S)
            self.lb.collect()

    async def beat(self) -> None:
        """Renew the statistics, as often as VPP does."""
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            self.do_beat()

    def publish_if_new(self) -> None:
        """Write the statistics anew where there are VIPs that they do not know yet."""
        width = max(map(len, self.lb.counters), default=0)
        if width != self._published:
            self._published = width
            self.stats.publish(self.lb)

    _published = -1

    # -------------------------------------------------------------------------------------------------- control

    async def serve_control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry out commands: one line of JSON each, answered by one line of JSON."""
        while line := await reader.readline():
            command = json.loads(line)
            commands: dict[str, Callable[..., Any]] = {
                name.removeprefix("do_"): getattr(self, name) for name in dir(self) if name.startswith("do_")
            }
            outcome = commands[command.pop("do")](**command)
            writer.write(json.dumps(outcome).encode() + b"\n")
            await writer.drain()
        writer.close()

    def do_delay(self, seconds: float) -> None:
        """Delay each message by that long."""
        self.faults.delay_s = seconds

    def do_hang(self, on: bool) -> None:
        """Neither read nor answer, with the sockets open."""
        self.faults.hang = on
        (self._go_on.clear if on else self._go_on.set)()

    def do_drop(self, message: str, times: int = 1) -> None:
        """Carry a message out, but send no reply."""
        self.faults.drop[message] = times

    def do_die_in(self, message: str) -> None:
        """Carry a message out, and die in the middle of the reply."""
        self.faults.die_in = message

    def do_refuse(self, message: str, retvals: list[int]) -> None:
        """Answer the next messages of a name with these values; 0 lets one through."""
        self.faults.refuse[message] = retvals

    def do_send(self, hexadecimal: str, raw: bool = False) -> None:
        """Send an unexpected message."""
        for writer in self.clients:
            data = bytes.fromhex(hexadecimal)
            writer.write(data if raw else framed(data))

    def do_keepalive(self) -> int:
        """Send keepalives to the clients; returns how many were answered before."""
        for writer, client in self.clients.items():
            number = self.api.vocabulary.ids["memclnt_keepalive"]
            writer.write(framed(struct.pack(">HII", number, client.index, 77)))
        return self.api.kept_alive

    def do_report(self, clear: bool = False) -> dict[str, Any]:
        """Return the writes and commands so far, and the clients."""
        api = self.api
        report = {
            "writes": list(api.writes),
            "commands": list(api.commands),
            "clients": list(api.clients),
            "kept_alive": api.kept_alive,
            "connections": len(self.clients),
        }
        if clear:
            api.writes.clear()
            api.commands.clear()
        return report

    def do_reset(self) -> None:
        """Forget all VIPs and what was written, as if newly started."""
        self.lb = self.api.lb = Lb()
        self.api.writes.clear()
        self._published = -1
        self.publish_if_new()

    def do_meddle(self, deeds: dict[str, list[list[Any]]]) -> None:
        """Have somebody else write between messages; see `Meddler`."""
        self.meddler = Meddler({int(number): each for number, each in deeds.items()})

    def do_conversation(self) -> list[list[Any]]:
        """Return the messages to the lb plugin since then."""
        return self.meddler.conversation

    def do_collect(self) -> None:
        """Collect what was removed, now."""
        self.lb.collect(0.0)

    def do_flows(self, count: int) -> None:
        """Pin that many established flows to each server."""
        for _number, vip in self.lb.numbered():
            for server in vip.servers:
                server.flows = count

    def do_pinned(self) -> list[int]:
        """Tell how many flows are pinned to each server."""
        return [server.flows for _number, vip in self.lb.numbered() for server in vip.servers]

    def do_count(self, number: int, packets: list[int], route: list[int]) -> None:
        """Have a VIP carry packets, by kind and by (packets, bytes) of its route."""
        for column, more in zip(self.lb.counters, packets, strict=True):
            column[number] += more
        vip = self.lb.pool[number]
        if vip is not None:
            self.stats.route_counters[self.lb.routes[vip.prefix]] = (route[0], route[1])
        self.stats.publish(self.lb)

    def do_route(self, prefix: str, way: str, via: str = "::") -> None:
        """Have addresses reached in some way: `interface`, `local`, `drop`, or `via` another address."""
        network = ip_network(prefix)
        hop = ip_address(via)
        self.lb.fib[wide(network.version == 6, network.network_address.packed, network.prefixlen)] = (
            way,
            wide_address(hop.version == 6, hop.packed),
        )

    def do_heap(self, total: int) -> int:
        """Give the main heap another size; returns what is allocated of it."""
        self.lb.heap.total = total
        self.do_beat()
        return self.lb.heap.used

    def do_plant(self, vips: int, servers: int) -> None:
        """Make sticky TCP VIPs 192.0.2.80:80 and following, each with servers 198.51.100.1 and following."""
        for number in range(vips):
            prefix = bytes(12) + bytes((192, 0, 2, 80 + number)), 128
            addresses = (198 << 24 | 51 << 16 | 100 << 8 | 1 + each for each in range(servers))
            made = [Server(bytes(12) + address.to_bytes(4, "big"), 10) for address in addresses]
            self.lb.add_vip(Vip(prefix, 6, 80, GRE4, 16, sticky=True, servers=made))
        self.publish_if_new()

    def do_segment(self, size: int) -> None:
        """Give the API segment another size."""
        self.api.segment = size

    def do_beat(self) -> None:
        """Renew the statistics."""
        self.lb.heap.told = self.lb.heap.used
        self.stats.heartbeat += 1
        self.stats.publish(self.lb)

    def do_packet(self) -> None:
        """Have every thread carry a packet for a VIP, if there is one; VPP may die of it."""
        number = next((number for number, _vip in self.lb.live()), None)
        if number is None:
            return
        try:
            self.lb.packet(WORKERS)
        except Abort:
            os.abort()
        self.lb.counters[1][number] += 1
        self.stats.publish(self.lb)

    def do_lock_stats(self, on: bool) -> None:
        """Leave the statistics locked, as in the middle of a change."""
        self.stats.locked = on
        self.stats.publish(self.lb)


async def run(folder: Path, vocabulary: Vocabulary) -> None:
    """Serve until killed."""
    standin = Standin(folder, vocabulary)
    standin.publish_if_new()
    for name in ("api.sock", "stats.sock", "control.sock"):
        (folder / name).unlink(missing_ok=True)
    stats = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stats.bind(str(folder / "stats.sock"))
    stats.listen(64)
    stats.setblocking(False)
    loop = asyncio.get_running_loop()
    loop.add_reader(stats, lambda: standin.stats.hand_out(stats.accept()[0]))
    await asyncio.start_unix_server(standin.serve_control, folder / "control.sock")
    tasks = [asyncio.create_task(standin.collect()), asyncio.create_task(standin.beat())]
    server = await asyncio.start_unix_server(standin.serve_api, folder / "api.sock", limit=1 << 20)
    await asyncio.gather(server.serve_forever(), *tasks)


def vocabulary_of(kind: str) -> Vocabulary:
    """Return the messages of a kind of VPP: `full`, `old` (no weights), `without-lb`, `changed` (another layout)."""
    lb = tuple(d[0] for d in Vocabulary().definitions if d[0].startswith("lb_"))
    return {
        "full": Vocabulary(),
        "old": Vocabulary(without=OF_WEIGHTS),
        "without-lb": Vocabulary(without=lb),
        "without-routes": Vocabulary(without=("ip_route_lookup",)),
        "changed-routes": Vocabulary(changed=("ip_route_lookup_reply",)),
        "changed": Vocabulary(changed=("lb_as_v2_details",)),
    }[kind]
