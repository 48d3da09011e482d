"""The names that exist just now, for completion: fetched within a deadline, and kept for a few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import anyio

from maglev_cli.grammar import Argument
from maglev_grpc.client import Client
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb

DEADLINE_S = 1.0
FRESH_S = 3.0

_CALLS: Mapping[str, str] = {"backend": "ListBackends", "healthcheck": "ListHealthChecks"}
"""The call that tells the names of a source; all others are told by `ListFrontends`."""


class Names:
    """The live names of one maglevd."""

    def __init__(self, client: Client, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock_s = clock_s
        self._kept: dict[str, tuple[float, Sequence[Any]]] = {}

    def are_missing(self, arguments: Iterable[Argument]) -> bool:
        """Whether the names of any of some arguments are not known, or were fetched too long ago."""
        return bool(self._calls(arguments))

    def _calls(self, arguments: Iterable[Argument]) -> set[str]:
        fresh_from_s = self._clock_s() - FRESH_S
        calls = {_call(argument) for argument in arguments if argument.source}
        return {call for call in calls if call not in self._kept or self._kept[call][0] <= fresh_from_s}

    async def fetch(self, arguments: Iterable[Argument]) -> None:
        """Fetch what these arguments need, unless it is fresh; what cannot be had in time stays as it was.

        Raises:
            ClientError: It cannot be had. What was kept is kept.
        """
        for call in self._calls(arguments):
            with anyio.move_on_after(DEADLINE_S):
                answer = await self._client.read(call, getattr(pb, f"{call}Request")())
                (field,) = answer.DESCRIPTOR.fields
                self._kept[call] = (self._clock_s(), tuple(getattr(answer, field.name)))

    def known(self, argument: Argument, values: Mapping[str, str]) -> Sequence[str]:
        """The names that fit an argument, as last fetched."""
        if not argument.source:
            return ()
        found = self._kept.get(_call(argument), (0.0, ()))[1]
        if argument.source not in ("pool", "member"):
            return tuple(each.name for each in found)
        frontends = (each for each in found if each.name == values.get("frontend"))
        if argument.source == "pool":
            return tuple(pool for each in frontends for pool in each.pools)
        members = (member for each in frontends for member in each.members)
        return tuple(member.backend for member in members if member.pool == values.get("pool"))


def _call(argument: Argument) -> str:
    return _CALLS.get(argument.source, "ListFrontends")
