"""Prints the output of the lb plugin's commands."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from .lb import ENCAP_NAMES, KINDS, L3DSR, NAT4, Lb, Server, Vip


def address_text(address: bytes) -> str:
    """Sixteen bytes as VPP prints them."""
    return str(IPv6Address(address) if any(address[:12]) else IPv4Address(address[12:]))


def show_lb(lb: Lb) -> str:
    """`show lb`, before any thread has carried a packet."""
    servers = sum(len(vip.servers) for _number, vip in lb.numbered())
    source4, source6 = IPv4Address(lb.ip4_source), IPv6Address(lb.ip6_source)
    heads = f"lb_main ip4-src-address: {source4} \n ip6-src-address: {source6} \n"
    return f"{heads} #vips: {sum(1 for _ in lb.numbered()) + 1}\n #ass: {servers}\n"


def show_memory_api_segment(size: int) -> str:
    """`show memory api-segment`."""
    total = f"{size / 2**20:.2f}M"
    return (
        f"API segment\nbase 0x130051000, size {size >> 20}m, locked, name 'svm data'\n"
        f"  page stats: page-size 4K, total {size >> 12}, populated 322, not-populated {(size >> 12) - 322}\n"
        f"    numa 0: 322 pages, 1.26m bytes\n"
        f"  total: {total}, used: 1.50M, free: {size / 2**20 - 1.5:.2f}M, trimmable: {size / 2**20 - 1.5:.2f}M\n"
        f"    free chunks 4 free fastbin blks 0\n    max total allocated {total}\n"
    )


def show_lb_vips_verbose(lb: Lb) -> str:
    """`show lb vips verbose`: a block for each VIP, an empty line after each."""
    return "".join(f"{_block(lb, number, vip)}\n" for number, vip in lb.numbered())


def _block(lb: Lb, number: int, vip: Vip) -> str:
    family = "ip4" if vip.is_ip4 else "ip6"
    length = vip.prefix[1] - 96 if vip.is_ip4 else vip.prefix[1]
    flags = " src_ip_sticky" * vip.sticky + " removed" * (not vip.used)
    lines = [f" {family}-{ENCAP_NAMES[vip.encap]} [{number}] {address_text(vip.prefix[0])}/{length}{flags}"]
    lines.append(f"  new_size:{vip.length}")
    if vip.port:
        lines.append(f"  protocol:{vip.protocol} port:{vip.port}")
    if vip.encap == L3DSR:
        lines.append(f"  dscp:{vip.dscp}")
    type_text = "  type:clusterip port:20480 target_port:8080" if vip.encap >= NAT4 else ""
    lines.append(f"{type_text}  counters:")
    lines += [f"    {kind}: {column[number]}" for kind, column in zip(KINDS, lb.counters, strict=True)]
    lines.append(f"  #as:{len(vip.servers)}")
    buckets = vip.buckets()
    lines += [_server_line(server, buckets.get(server.address, 0)) for server in vip.servers]
    return "".join(f"{line}\n" for line in lines)


def _server_line(server: Server, buckets: int) -> str:
    state = "used" if server.used else " removed"
    count = buckets if server.used else 0
    text = f"weight:{server.weight} buckets:{count} flows:{server.flows} dpo:{server.dpo}"
    return f"    {address_text(server.address)} {text} {state}"
