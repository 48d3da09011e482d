"""`show dataplane` and `show vpp`: what holds the VIPs, and what it holds."""

from __future__ import annotations

import time
from collections.abc import Mapping

from maglev import api
from maglev_cli.actions.answer import Answer, many, one, read
from maglev_cli.grammar import Parsed
from maglev_cli.views import dataplane as views
from maglev_grpc.client import Client
from maglev_grpc.convert import from_message, to_message


async def info(client: Client, _line: Parsed) -> Answer:
    """`show dataplane info`."""
    now_s = time.time()
    return await one(client, "GetDataplaneInfo", api.DataplaneSnapshot, lambda found: views.dataplane(found, now_s))


async def state(client: Client, line: Parsed) -> Answer:
    """`show dataplane state [<frontend>]`."""
    names, name = await _names(client), line.values.get("frontend")
    message = await read(client, "GetDataplaneState", details=True)
    if name is not None:
        only = to_message((await client.frontend(name)).vip)
        kept = [each for each in message.vips if each.vip == only]
        del message.vips[:]
        message.vips.extend(kept)
    return Answer(message, lambda: views.state(from_message(api.DataplaneState, message), names))


async def counters(client: Client, _line: Parsed) -> Answer:
    """`show dataplane counters`."""
    names = await _names(client)
    return await many(client, "GetDataplaneCounters", api.VipCounters, lambda found: views.counters(found, names))


async def _names(client: Client) -> Mapping[api.VipKey, str]:
    """The frontends' names by VIP."""
    return {frontend.vip: frontend.name for frontend in await client.frontends()}
