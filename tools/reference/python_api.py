"""The page about `maglev.api`: everything that it hands on, in the order of the modules that define it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import TypeAlias

import maglev.api

Import: TypeAlias = tuple[str, list[str]]

HEAD = """# maglev.api

<!-- Written by `python -m tools.reference` from the imports of `maglev.api`: change it there. -->

Everything that a plugin implements, is given or calls. Import it from `maglev.api`.
[Write a checker](../../how-to/write-a-checker.md) shows most of it in use, [Embed it](../../how-to/embed.md) the rest.
"""

_LONG = 500


def page() -> str:
    """The whole page, in Markdown with directives for Sphinx."""
    return "\n".join([HEAD, *(_section(module, names) for module, names in _imports())])


def _imports() -> Iterator[Import]:
    """Give each module of `maglev.api`, and what is public of it."""
    for statement in ast.parse(inspect.getsource(maglev.api)).body:
        if isinstance(statement, ast.ImportFrom) and statement.module is not None:
            names = [each.name for each in statement.names if each.name in maglev.api.__all__]
            if names:
                yield statement.module, names


def _section(module: str, names: list[str]) -> str:
    title = module.rpartition(".")[2].replace("_", " ").capitalize()
    directives = "".join(_directive(module, name) for name in names)
    return f"## {title}\n\n```{{eval-rst}}\n.. automodule:: {module}\n{directives}```\n"


def _directive(module: str, name: str) -> str:
    value = getattr(maglev.api, name)
    if inspect.isclass(value):
        kind = "exception" if issubclass(value, BaseException) else "class"
        return f"\n.. auto{kind}:: maglev.api.{name}\n   :members:\n"
    if inspect.isroutine(value):
        return f"\n.. autofunction:: maglev.api.{name}\n"
    # What documents a constant stands only where it is assigned. Long values are of no use to a reader.
    shown = "" if len(repr(value)) < _LONG else "   :no-value:\n"
    return f"\n.. autodata:: {module}.{name}\n{shown}"
