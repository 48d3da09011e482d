"""The names that exist just now, for completion: fetched within a deadline, and kept for a few seconds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import anyio

from maglev_cli.grammar import Argument
from maglev_grpc.client import Client
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb

DEADLINE_S = 1.0
FRESH_S = 3.0

_CALLS: Mapping[str, tuple[str, str]] = {
    "backend": ("ListBackends", "backends"),
    "healthcheck": ("ListHealthChecks", "healthchecks"),
    "frontend": ("ListFrontends", "frontends"),
    "pool": ("ListFrontends", "frontends"),
    "member": ("ListFrontends", "frontends"),
}
"""The call that tells the names of a source, and the field of its answer."""


class Names:
    """The live names of one maglevd.

    Args:
        client: Asks it.
        clock_s: Seconds on any clock that only goes forward.
    """

    def __init__(self, client: Client, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock_s = clock_s
        self._kept: dict[str, tuple[float, Sequence[Any]]] = {}

    def are_missing(self, arguments: Iterable[Argument]) -> bool:
        """Whether the names of any of some arguments are not known, or were fetched too long ago."""
        return bool(self._calls(arguments))

    def _calls(self, arguments: Iterable[Argument]) -> set[tuple[str, str]]:
        calls = {_CALLS[argument.source] for argument in arguments if argument.source}
        fetched_s = {call: self._kept[call][0] for call, _ in calls if call in self._kept}
        return {each for each in calls if self._clock_s() - fetched_s.get(each[0], -math.inf) >= FRESH_S}

    async def fetch(self, arguments: Iterable[Argument]) -> None:
        """Fetch what these arguments need, unless it is fresh; what cannot be had in time stays as it was.

        Raises:
            ClientError: It cannot be had. What was kept is kept.
        """
        for call, field in self._calls(arguments):
            with anyio.move_on_after(DEADLINE_S):
                answer = await self._client.read(call, getattr(pb, f"{call}Request")())
                self._kept[call] = (self._clock_s(), tuple(getattr(answer, field)))

    def known(self, argument: Argument, values: Mapping[str, str]) -> Sequence[str]:
        """The names that fit an argument, as last fetched.

        Args:
            argument: The argument.
            values: The values before it in the line.
        """
        if not argument.source:
            return ()
        found = self._kept.get(_CALLS[argument.source][0], (0.0, ()))[1]
        if argument.source not in ("pool", "member"):
            return tuple(each.name for each in found)
        frontends = (each for each in found if each.name == values.get("frontend"))
        if argument.source == "pool":
            return tuple(pool for each in frontends for pool in each.pools)
        members = (member for each in frontends for member in each.members)
        return tuple(member.backend for member in members if member.pool == values.get("pool"))
