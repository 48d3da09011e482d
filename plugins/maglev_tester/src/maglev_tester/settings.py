"""What is probed and how, as one value that can be sent to another process."""

from __future__ import annotations

import json

import attrs

from maglev_tester.vips import Kind, Vip


@attrs.frozen
class ProbeSettings:
    """What the runner needs to know.

    Args:
        vips: What to probe.
        interval_ns: From the start of one probe of a VIP to the start of the next.
        timeout_ns: How long one probe may take.
        host: Host header and TLS name for all; empty: what each VIP says.
        uri: What to ask for, from its `/` on.
        header: The response header that tells who answered.
        insecure: Accept any certificate.
        keepalive: Use one connection as long as it lasts, instead of a new one for each probe.
        once: End after so many probes of each VIP; 0: never.
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
