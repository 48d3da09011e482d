"""All behaviours, by chapter."""

from __future__ import annotations

from collections.abc import Mapping

from tools.servers import bodies, heads
from tools.servers.behaviour import Behaviour

CHAPTERS: Mapping[str, tuple[Behaviour, ...]] = {
    "Connections": heads.CONNECTIONS,
    "Other protocols": heads.OTHER_PROTOCOLS,
    "Status lines": heads.STATUS_LINES,
    "Headers": heads.HEADERS,
    "Lengths": bodies.LENGTHS,
    "Chunks": bodies.CHUNKS,
    "Content": bodies.CONTENT,
    "TLS": bodies.TLS,
}
BEHAVIOURS: tuple[Behaviour, ...] = tuple(one for chapter in CHAPTERS.values() for one in chapter)
"""In the order of the page."""
