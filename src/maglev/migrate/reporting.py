"""Reports the directives that a reader has no use for, with the reason."""

from __future__ import annotations

from collections.abc import Mapping

from maglev.migrate.findings import Findings, Kind, Place

Reasons = Mapping[str, tuple[Kind, str]]
"""What is to be told of a keyword."""

ONE_SOURCE = "set probe-ipv4-src or probe-ipv6-src: an address of one family for all servers of a health check"
PORT_STAYS = "packets reach the server with the VIP's own address and port: it must listen on both, and take GRE"
NO_PROGRAM = "maglevd runs no programs; follow its events with `maglevc watch events`, or alert on its metrics"


def report(keyword: str, place: Place, reasons: Reasons, findings: Findings, shown: str = "") -> None:
    """Report one directive by its reason, or as not known.

    Args:
        keyword: What the reason is found by.
        place: Where it stands.
        reasons: Those of this kind of block.
        findings: Takes it.
        shown: What to show in place of the keyword.
    """
    kind, message = reasons.get(keyword, ("left out", "this directive is not known here"))
    match kind:
        case "left out":
            findings.left_out(place, shown or keyword, message)
        case "changed":
            findings.changed(place, shown or keyword, message)
        case "not needed":
            findings.not_needed(place, shown or keyword, message)
