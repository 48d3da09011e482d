"""The binary API: answers messages. Layouts are repeated here by hand, so that the tests do not depend on our own."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .definitions import Vocabulary
from .lb import ROW_BYTES, Abort, Lb, Vip
from .text import show_lb, show_lb_vips_verbose, show_memory_api_segment

REQUEST = struct.Struct(">HII")
REPLY = struct.Struct(">HIi")
VIP = struct.Struct(">B16sBBH")
ADD_VIP = struct.Struct(">IBIHHI??")
SERVER = struct.Struct(">B16sB??")
SET_WEIGHT = struct.Struct(">B16sB?")
CONF = struct.Struct(">4s16sII")
VIP_DETAILS = struct.Struct(">HIB16sBBHIBIHH")
SERVER_DETAILS = struct.Struct(">HIB16sBBHB16sBIBI")
ROUTE = struct.Struct(">IIB16sBB")
PATH = struct.Struct(">IIIBBIII16sIIIB112s")
VERSION = b"26.10-standin"
SEGMENT_USED = 1536 << 10
"""What VPP itself keeps in its API segment, through which every reply goes in one piece."""

Prefix = tuple[bytes, int]


def wide(family: int, raw: bytes, length: int) -> Prefix:
    """A prefix of either family as sixteen bytes, host bits cut off."""
    address, bits = (raw, length) if family else (bytes(12) + raw[:4], length + 96)
    mask = (1 << 128) - (1 << (128 - min(bits, 128)))
    return (int.from_bytes(address, "big") & mask).to_bytes(16, "big"), min(bits, 128)


def wide_address(family: int, raw: bytes) -> bytes:
    """An address of either family as sixteen bytes."""
    return raw if family else bytes(12) + raw[:4]


def narrow(address: bytes) -> tuple[int, bytes]:
    """Sixteen bytes as a family and the bytes of the union on the wire."""
    return (1, address) if any(address[:12]) else (0, address[12:] + bytes(12))


@dataclass
class Client:
    """The client of a connection; VPP drops messages that have another client's index."""

    index: int = 0


class Api:
    """The API of one VPP.

    Args:
        vocabulary: The messages that it knows.
        lb: The plugin.
    """

    def __init__(self, vocabulary: Vocabulary, lb: Lb) -> None:
        self.vocabulary = vocabulary
        self.lb = lb
        self.last_index = 0x80000001
        self.writes: list[dict[str, Any]] = []
        self.commands: list[str] = []
        self.kept_alive = 0
        self.segment = 16 << 20
        self.clients: list[str] = []
        self._handlers: dict[str, Callable[[int, bytes], Iterator[bytes]]] = {
            name.removeprefix("_on_"): getattr(self, name) for name in dir(self) if name.startswith("_on_")
        }

    def name_of(self, message: bytes) -> str | None:
        """The name of a request; `None` if it is none, or too short to be one."""
        if len(message) < 6:
            return None
        return self.vocabulary.names.get(int.from_bytes(message[:2], "big"))

    def answer(self, message: bytes, client: Client) -> list[bytes]:
        """Carry a client's request out; returns nothing for one that VPP drops silently."""
        name = self.name_of(message)
        if name == "sockclnt_create":
            return [self._welcome(message, client)]
        if name not in self._handlers or len(message) < REQUEST.size:
            return []
        _number, client_index, context = REQUEST.unpack_from(message)
        if client_index != client.index:
            return []
        try:
            return list(self._handlers[name](context, message[REQUEST.size :]))
        except struct.error:
            return []

    def refusal(self, message: bytes, retval: int) -> bytes:
        """The reply that refuses a request."""
        return self._retval(self.name_of(message) or "", REQUEST.unpack_from(message)[2], retval)

    def _retval(self, name: str, context: int, retval: int) -> bytes:
        return REPLY.pack(self.vocabulary.ids[f"{name}_reply"], context, retval)

    def _welcome(self, message: bytes, client: Client) -> bytes:
        _number, context, name = struct.unpack_from(">HI64s", message)
        self.clients.append(name.rstrip(b"\0").decode())
        self.last_index += 0x100
        client.index = self.last_index
        table = self.vocabulary.table
        reply = struct.pack(">HIIiIH", 16, 0, context, 0, client.index, len(table))
        return reply + b"".join(struct.pack(">H64s", number, entry.encode()) for number, entry in table)

    def _on_sockclnt_delete(self, context: int, body: bytes) -> Iterator[bytes]:
        yield self._retval("sockclnt_delete", context, 1)

    def _on_control_ping(self, context: int, body: bytes) -> Iterator[bytes]:
        yield self._retval("control_ping", context, 0) + struct.pack(">II", 0, os.getpid())

    def _on_memclnt_keepalive_reply(self, context: int, body: bytes) -> Iterator[bytes]:
        yield from ()

    def _on_get_api_json(self, context: int, body: bytes) -> Iterator[bytes]:
        text = self.vocabulary.api_json().encode()
        yield self._retval("get_api_json", context, 0) + struct.pack(">I", len(text)) + text

    def _on_show_version(self, context: int, body: bytes) -> Iterator[bytes]:
        texts = struct.pack(">32s32s32s256s", b"vpe", VERSION, b"2026-01-01T00:00:00", b"/build")
        yield self._retval("show_version", context, 0) + texts

    def _on_cli_inband(self, context: int, body: bytes) -> Iterator[bytes]:
        command = body[4:].decode()
        self.commands.append(command)
        texts = {
            "show lb vips verbose": lambda: show_lb_vips_verbose(self.lb),
            "show lb": lambda: show_lb(self.lb),
            "show memory api-segment": lambda: show_memory_api_segment(self.segment),
        }
        known = command in texts
        reply = (texts[command]() if known else f"unknown input `{command}'\n").encode()
        if len(reply) > self.segment - SEGMENT_USED:
            raise Abort
        yield self._retval("cli_inband", context, 0 if known else -1) + struct.pack(">I", len(reply)) + reply

    def _on_ip_route_lookup(self, context: int, body: bytes) -> Iterator[bytes]:
        _table, exact, family, raw, length = struct.unpack_from(">IBB16sB", body)
        prefix = wide(family, raw, length)
        number = self.lb.routes.get(prefix)
        if number is None and exact:
            yield self._retval("ip_route_lookup", context, -6) + ROUTE.pack(0, 0, family, raw, length, 0)
            return
        head = ROUTE.pack(0, number or 0, family, raw, length, 1)
        yield self._retval("ip_route_lookup", context, 0) + head + self._path(family, *self.lb.way_to(prefix[0]))

    @staticmethod
    def _path(family: int, way: str, via: bytes) -> bytes:
        """A path: a server without a route has the path of VPP's own default route, which drops."""
        interface = 1 if way in {"interface", "local"} else 0xFFFFFFFF
        hop = via if family else via[12:] + bytes(12)
        type_ = {"local": 1, "drop": 2}.get(way, 0)
        return PATH.pack(interface, 0, 0, 1, 0, type_, 0, family, hop, 0, 0, 0, 0, bytes(16 * 7))

    # ------------------------------------------------------------------------------------------------ the plugin

    def _on_lb_conf_get(self, context: int, body: bytes) -> Iterator[bytes]:
        lb = self.lb
        conf = CONF.pack(lb.ip4_source, lb.ip6_source, lb.sticky_buckets, lb.flow_timeout_s)
        yield self._retval("lb_conf_get", context, 0) + conf

    def _on_lb_conf(self, context: int, body: bytes) -> Iterator[bytes]:
        ip4, ip6, buckets, timeout_s = CONF.unpack_from(body)
        self._note("lb_conf", buckets=buckets, timeout_s=timeout_s)
        yield self._retval("lb_conf", context, self.lb.conf(ip4, ip6, buckets, timeout_s))

    def _on_lb_add_del_vip_v2(self, context: int, body: bytes) -> Iterator[bytes]:
        prefix, protocol, port = self._vip(body)
        encap, dscp, _type, _target, _node, length, sticky, is_del = ADD_VIP.unpack_from(body, VIP.size)
        self._note_vip("lb_add_del_vip_v2", body, encap=encap, length=length, sticky=sticky, is_del=is_del)
        if is_del:
            retval = self.lb.delete_vip(prefix, protocol, port)
        else:
            retval = self.lb.add_vip(Vip(prefix, protocol, port, encap, length, sticky, dscp & 0x3F))
        yield self._retval("lb_add_del_vip_v2", context, retval)

    def _on_lb_add_del_as_v2(self, context: int, body: bytes) -> Iterator[bytes]:
        vip = self.lb.find(*self._vip(body))
        family, raw, weight, is_del, flush = SERVER.unpack_from(body, VIP.size)
        address = wide_address(family, raw)
        self._note_vip("lb_add_del_as_v2", body, server=address.hex(), weight=weight, is_del=is_del, flush=flush)
        if is_del:
            retval = self.lb.delete_server(vip, address, flush=flush)
        else:
            retval = self.lb.add_server(vip, address, weight)
        yield self._retval("lb_add_del_as_v2", context, retval)

    def _on_lb_as_set_weight(self, context: int, body: bytes) -> Iterator[bytes]:
        vip = self.lb.find(*self._vip(body))
        family, raw, weight, flush = SET_WEIGHT.unpack_from(body, VIP.size)
        address = wide_address(family, raw)
        self._note_vip("lb_as_set_weight", body, server=address.hex(), weight=weight, flush=flush)
        yield self._retval("lb_as_set_weight", context, self.lb.set_weight(vip, address, weight, flush=flush))

    def _on_lb_vip_dump(self, context: int, body: bytes) -> Iterator[bytes]:
        for _number, vip in self.lb.live():
            # The length is cut to 16 bits, and the dscp of an L3DSR VIP turns up as its type.
            type_ = vip.dscp << 24 if vip.encap == 2 else 0
            yield VIP_DETAILS.pack(
                self.vocabulary.ids["lb_vip_details"],
                context,
                *self._name(vip),
                vip.encap,
                vip.dscp,
                type_,
                0,
                vip.length & 0xFFFF,
            )

    def _on_lb_as_v2_dump(self, context: int, body: bytes) -> Iterator[bytes]:
        _family, raw, _length, protocol, port = VIP.unpack_from(body)
        wanted = wide(1, raw, 128)[0]  # an IPv4 filter is compared as if it were IPv6, and matches nothing
        number = self.vocabulary.ids["lb_as_v2_details"]
        self.lb.heap.hold(ROW_BYTES * sum(len(vip.servers) for _number, vip in self.lb.numbered()))
        for _number, vip in self.lb.numbered():
            if any(raw) and (vip.prefix[0], vip.protocol, vip.port) != (wanted, protocol, port):
                continue
            buckets = vip.buckets() if vip.used else {}
            for server in vip.servers:
                count = buckets.get(server.address, 0) if server.used else 0
                state = (int(server.used), int(server.removed_s), server.weight, count)
                yield SERVER_DETAILS.pack(number, context, *self._name(vip), *narrow(server.address), *state)

    @staticmethod
    def _vip(body: bytes) -> tuple[Prefix, int, int]:
        family, raw, length, protocol, port = VIP.unpack_from(body)
        return wide(family, raw, length), protocol, port

    @staticmethod
    def _name(vip: Vip) -> tuple[int, bytes, int, int, int]:
        family, raw = narrow(vip.prefix[0])
        return family, raw, vip.prefix[1] - (0 if family else 96), vip.protocol, vip.port

    def _note(self, message: str, **fields: Any) -> None:
        self.writes.append({"message": message, **fields})

    def _note_vip(self, message: str, body: bytes, **fields: Any) -> None:
        (address, _length), protocol, port = self._vip(body)
        self._note(message, vip=f"{address.hex()}/{protocol}/{port}", **fields)
