"""Turns ICMP error messages into results, with icmplib's texts."""

from __future__ import annotations

from functools import lru_cache

from icmplib.exceptions import ICMPError
from icmplib.models import ICMPReply

from maglev.api import Code, ProbeResult


@lru_cache(maxsize=256)
def failure_of(version: int, type_: int, code: int, reporter: str) -> ProbeResult:
    """The failure that an ICMP error message stands for.

    Args:
        version: 4 or 6.
        type_: The message's type.
        code: The message's code.
        reporter: The address of who sent it.
    """
    reply = ICMPReply(  # type: ignore[no-untyped-call]  # icmplib has no annotations
        source=reporter, family=version, id=0, sequence=0, type=type_, code=code, bytes_received=0, time=0.0
    )
    try:
        reply.raise_for_status()  # type: ignore[no-untyped-call]  # same
    except ICMPError as error:
        text = str(error)
        return ProbeResult(Code.L4CON, f"{text[:1].lower()}{text[1:]}, says {reporter}")
    raise ValueError(f"type {type_} of ICMPv{version} is no error message")
