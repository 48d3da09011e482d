"""Holds a configuration to be written: plain data by section and name, each item with its place in the source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from maglev.migrate.findings import Place

SECTIONS = ("healthchecks", "backends", "frontends")


@attrs.define
class Item:
    """One health check, backend or frontend, by its YAML keys.

    Args:
        data: Its keys and values.
        place: Where the source has it.
        comments: What could not stand in the data, as lines of YAML.
    """

    data: dict[str, Any]
    place: Place
    comments: list[str] = attrs.field(factory=list)


@attrs.define
class Document:
    """A configuration to be written.

    Args:
        pending: Frontends without an address, which the reader has to fill in.
        netns: The network namespace to probe in; empty for that of maglevd.
    """

    healthchecks: dict[str, Item] = attrs.field(factory=dict)
    backends: dict[str, Item] = attrs.field(factory=dict)
    frontends: dict[str, Item] = attrs.field(factory=dict)
    pending: dict[str, Item] = attrs.field(factory=dict)
    netns: str = ""

    def section(self, name: str) -> dict[str, Item]:
        """Return the items of a section of `SECTIONS`."""
        found: dict[str, Item] = getattr(self, name)
        return found

    def data(self) -> Mapping[str, Any]:
        """Return what a file with this configuration says."""
        top: dict[str, Any] = {"healthchecker": {"netns": self.netns}} if self.netns else {}
        for name in SECTIONS:
            if items := self.section(name):
                top[name] = {key: item.data for key, item in items.items()}
        return {"maglev": top}
