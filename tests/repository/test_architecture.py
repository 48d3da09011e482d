"""The picture of the packages shows the imports that are allowed, and no others."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from tools.rooms import parse_table

ROOT = Path(__file__).parents[2]
ABOVE_ALL = {"maglev", "maglev.certificates"}
"""The façade and a module beside it: the picture leaves them out."""


def allowed() -> dict[str, set[str]]:
    """The table of import-linter, of the packages of the core."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    table = parse_table(next(contract["rooms"] for contract in contracts if contract["id"] == "rooms"))
    rooms = {room for room in table if room.startswith("maglev.")} - ABOVE_ALL
    return {name(room): {name(other) for other in table[room] & rooms} for room in rooms}


def drawn() -> dict[str, set[str]]:
    """The arrows of the picture; a package without arrows is drawn as well."""
    picture = (ROOT / "docs/images/rooms.svg").read_text("utf-8")
    arrows: dict[str, set[str]] = {room: set() for room in re.findall(r">maglev\.(\w+)<", picture)}
    for importer, imported in re.findall(r'class="arrow" id="(\w+)-(\w+)"', picture):
        arrows[importer].add(imported)
    return arrows


def name(room: str) -> str:
    return room.removeprefix("maglev.")


def reached(start: str, arrows: Mapping[str, set[str]]) -> set[str]:
    return arrows[start].union(*(reached(room, arrows) for room in arrows[start]))


def test_every_package_is_drawn() -> None:
    assert drawn().keys() == allowed().keys()


def test_every_arrow_is_allowed() -> None:
    assert [(room, other) for room, others in drawn().items() for other in others - allowed()[room]] == []


def test_every_allowed_import_follows_from_the_arrows() -> None:
    arrows = drawn()
    assert [(room, other) for room, others in allowed().items() for other in others - reached(room, arrows)] == []


def test_modules_that_the_page_names_are_there() -> None:
    page = (ROOT / "docs/explanation/architecture.md").read_text("utf-8")
    named = sorted(set(re.findall(r"`(maglev(?:\.\w+)+)`", page)))
    assert len(named) > 10
    assert [module for module in named if find_spec(module) is None] == []
