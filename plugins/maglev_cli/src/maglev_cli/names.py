"""The names that exist just now, for completion: fetched within a deadline, and kept for a few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import anyio

from maglev_cli.grammar import Argument

DEADLINE_S = 1.0
FRESH_S = 3.0

Fetch = Callable[[str], Any]


class Reader(Protocol):
    """What names are fetched through: `maglev_grpc.client.Client` is one."""

    async def read(self, name: str, request: Any) -> Any:
        """Make a call that changes nothing."""
        ...


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
        reader: Asks it.
        clock_s: Seconds on any clock that only goes forward.
    """

    def __init__(self, reader: Reader, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._clock_s = clock_s
        self._kept: dict[str, tuple[float, Sequence[Any]]] = {}

    def lacking(self, arguments: Iterable[Argument]) -> tuple[Argument, ...]:
        """Those of some arguments whose names are not known, or not fresh."""
        return tuple(argument for argument in arguments if argument.source and not self._is_fresh(argument))

    def _is_fresh(self, argument: Argument) -> bool:
        kept = self._kept.get(_CALLS[argument.source][0])
        return kept is not None and self._clock_s() - kept[0] < FRESH_S

    async def fetch(self, arguments: Iterable[Argument]) -> None:
        """Fetch what these arguments need, unless it is fresh; what cannot be had in time stays as it was.

        Raises:
            ClientError: It cannot be had. What was kept is kept.
        """
        for call, field in {_CALLS[argument.source] for argument in self.lacking(arguments)}:
            with anyio.move_on_after(DEADLINE_S):
                answer = await self._reader.read(call, _request(call))
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
        if argument.source in ("backend", "healthcheck", "frontend"):
            return tuple(each.name for each in found)
        frontend = next((each for each in found if each.name == values.get("frontend")), None)
        if frontend is None:
            return ()
        if argument.source == "pool":
            return tuple(frontend.pools)
        return tuple(member.backend for member in frontend.members if member.pool == values.get("pool"))


def _request(call: str) -> Any:
    from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb  # noqa: PLC0415  (the grammar alone must be quick)

    return getattr(pb, f"{call}Request")()
