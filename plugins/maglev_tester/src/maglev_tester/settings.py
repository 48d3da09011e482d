"""The settings of a run, as one value that can be sent to another process."""

from __future__ import annotations

import json

import attrs

from maglev_tester.vips import Kind, Vip


@attrs.frozen
class ProbeSettings:
    """The settings of the runner: the options of the same names.

    An empty `host` leaves the name to each VIP; `once` is 0 for no end.
    """

    vips: tuple[Vip, ...]
    interval_ns: int = 100_000_000
    timeout_ns: int = 1_000_000_000
    host: str = ""
    uri: str = "/.well-known/ipng/healthz"
    header: str = "X-IPng-Frontend"
    insecure: bool = False
    keepalive: bool = False
    once: int = 0

    def dumps(self) -> str:
        """Write it as one line of JSON."""
        return json.dumps(attrs.asdict(self))

    @classmethod
    def loads(cls, text: str | bytes) -> ProbeSettings:
        """Read what `dumps` wrote."""
        fields = json.loads(text)
        vips = tuple(Vip(**{**vip, "kind": Kind(vip["kind"])}) for vip in fields.pop("vips"))
        return cls(vips=vips, **fields)
