"""The contract about who may import whom finds what it should."""

from __future__ import annotations

import grimp
import pytest

from tools.rooms import forbidden_imports, parse_table, room_of, unlisted_packages

TABLE = parse_table(
    ["house -> house.attic house.cellar", "house.attic -> house.cellar", "house.cellar ->", "garden ->"]
)


def graph_of(*imports: tuple[str, str]) -> grimp.ImportGraph:
    graph = grimp.ImportGraph()
    graph.add_module("house")
    for importer, imported in imports:
        graph.add_import(importer=importer, imported=imported)
    return graph


def test_module_belongs_to_the_longest_room_it_lies_in() -> None:
    assert room_of("house.attic.box", TABLE) == "house.attic"
    assert room_of("house.door", TABLE) == "house"
    assert room_of("asyncio", TABLE) is None


def test_allowed_and_foreign_imports_pass() -> None:
    graph = graph_of(
        ("house.attic.box", "house.cellar.wine"), ("house.attic.box", "house.attic"), ("garden.tree", "json")
    )
    assert list(forbidden_imports(graph, TABLE)) == []


@pytest.mark.parametrize(
    "importer,imported",
    [
        ("house.cellar.wine", "house.attic"),
        ("garden.tree", "house"),
        ("house.cellar", "house"),
        ("house.attic", "garden"),
    ],
)
def test_import_that_no_line_allows_is_found(importer: str, imported: str) -> None:
    graph = graph_of((importer, imported))
    assert list(forbidden_imports(graph, TABLE)) == [(importer, imported, 0)]


def test_package_that_no_line_names_is_found() -> None:
    graph = graph_of(("house.shed.tool", "json"))
    graph.add_module("house.shed")
    assert list(unlisted_packages(graph, TABLE)) == ["house.shed"]


def test_room_that_is_allowed_but_has_no_line_is_refused() -> None:
    with pytest.raises(ValueError, match=r"house\.loft"):
        parse_table(["house -> house.loft"])
