"""An import-linter contract that is a table: each room, and what it may import.

The kinds of contract that come with import-linter forbid what they list. Here the list is of what is allowed, so that a
new package is closed to everyone until the table names it, and a package that no line names is itself an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class RoomsContract(Contract):
    """Every direct import between two rooms must be in the table.

    Attributes:
        rooms: lines `importer -> allowed allowed …`. A module belongs to the longest room name that it lies in.
    """

    type_name = "rooms"

    rooms = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001  (the base class's signature)
        """Compare every import in the graph with the table."""
        table = parse_table(list(self.rooms))  # type: ignore[call-overload]  # a field becomes its value
        strangers = sorted(unlisted_packages(graph, table))
        forbidden = sorted(forbidden_imports(graph, table))
        return ContractCheck(
            kept=not strangers and not forbidden,
            metadata={"strangers": strangers, "forbidden": forbidden},
        )

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print what is outside the table."""
        metadata: dict[str, Any] = check.metadata
        for package in metadata["strangers"]:
            output.print_error(f"{package} is a room that the table does not name")
        for importer, imported, line in metadata["forbidden"]:
            output.print_error(f"{importer}:{line} imports {imported}")


def parse_table(lines: list[str]) -> dict[str, frozenset[str]]:
    """Turn lines `room -> other other` into a mapping.

    Raises:
        ValueError: a line has no arrow, or allows a room that has no line of its own.
    """
    table: dict[str, frozenset[str]] = {}
    for line in lines:
        room, arrow, allowed = line.partition("->")
        if not arrow:
            message = f"no arrow in {line!r}"
            raise ValueError(message)
        table[room.strip()] = frozenset(allowed.split())
    unknown = frozenset().union(*table.values()) - table.keys()
    if unknown:
        message = f"allowed but without a line of their own: {', '.join(sorted(unknown))}"
        raise ValueError(message)
    return table


def room_of(module: str, table: dict[str, frozenset[str]]) -> str | None:
    """The longest room that holds the module, or None for a module that is not ours."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((name for name in names if name in table), None)


def unlisted_packages(graph: ImportGraph, table: dict[str, frozenset[str]]) -> Iterator[str]:
    """Packages right under a root that hold modules, but no line of the table."""
    roots = [name for name in table if any(room.startswith(f"{name}.") for room in table)]
    for root in roots:
        for child in graph.find_children(root) if root in graph.modules else ():
            if child not in table and graph.find_children(child):
                yield child


def forbidden_imports(graph: ImportGraph, table: dict[str, frozenset[str]]) -> Iterator[tuple[str, str, int]]:
    """Imports from one room into another that the table does not allow, as (importer, imported, line)."""
    for importer in graph.modules:
        home = room_of(importer, table)
        if home is None:
            continue
        for imported in graph.find_modules_directly_imported_by(importer):
            room = room_of(imported, table)
            if room is None or room == home or room in table[home]:
                continue
            details = graph.get_import_details(importer=importer, imported=imported)
            yield importer, imported, details[0]["line_number"] if details else 0
