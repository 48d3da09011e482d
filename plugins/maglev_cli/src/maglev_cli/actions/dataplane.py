"""`show dataplane` and `show vpp`: what holds the VIPs, and what it holds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from maglev import api
from maglev_cli.actions.answer import Answer
from maglev_cli.grammar import Parsed
from maglev_cli.views import dataplane as views
from maglev_cli.views.model import View
from maglev_grpc.client import Client
from maglev_grpc.convert import from_message, to_message
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb


async def info(client: Client, _line: Parsed) -> Answer:
    """`show dataplane info`."""
    message = await client.read("GetDataplaneInfo", pb.GetDataplaneInfoRequest())
    return Answer(message, lambda: views.dataplane(from_message(api.DataplaneSnapshot, message), time.time()))


async def state(client: Client, line: Parsed) -> Answer:
    """`show dataplane state [<frontend>]`."""
    only, names = await _vips(client, line.values.get("frontend"))
    message = await client.read("GetDataplaneState", pb.GetDataplaneStateRequest(details=True))
    if only is not None:
        _keep_only(message, to_message(only))

    def view() -> View:
        return views.state(from_message(api.DataplaneState, message), names, only)

    return Answer(message, view)


def _keep_only(message: Any, vip: Any) -> None:
    kept = [each for each in message.vips if each.vip == vip]
    del message.vips[:]
    message.vips.extend(kept)


async def counters(client: Client, _line: Parsed) -> Answer:
    """`show dataplane counters`."""
    _, names = await _vips(client, None)
    message = await client.read("GetDataplaneCounters", pb.GetDataplaneCountersRequest())
    return Answer(
        message, lambda: views.counters([from_message(api.VipCounters, each) for each in message.counters], names)
    )


async def _vips(client: Client, name: str | None) -> tuple[api.VipKey | None, Mapping[api.VipKey, str]]:
    if name is not None:
        found = await client.frontend(name)
        return found.vip, {found.vip: found.name}
    answer = await client.read("ListFrontends", pb.ListFrontendsRequest())
    return None, {from_message(api.VipKey, each.vip): each.name for each in answer.frontends}
