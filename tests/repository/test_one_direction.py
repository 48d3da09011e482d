"""Data flows one way: no circle of imports anywhere, and nobody hands an object a callback after it was made."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "maglev",
    "maglev_http",
    "maglev_tcp",
    "maglev_icmp",
    "maglev_vpp",
    "maglev_grpc",
    "maglev_cli",
    "maglev_prometheus",
    "maglev_tester",
    "maglev_web",
)
SOURCES = [ROOT / "src", *sorted((ROOT / "plugins").glob("*/src"))]


# --- circles ------------------------------------------------------------------------------------------------------


def circles(graph: grimp.ImportGraph) -> list[list[str]]:
    """The groups of modules that import one another, in a circle, each sorted (Tarjan's strongly connected parts)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in graph.find_modules_directly_imported_by(module):
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(group) > 1:
                found.append(sorted(group))

    for module in sorted(graph.modules):
        if module not in index:
            visit(module)
    return found


def test_a_circle_is_found() -> None:
    graph = grimp.ImportGraph()
    for one, other in (("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")):
        graph.add_import(importer=one, imported=other)
    assert circles(graph) == [["a", "b", "c"]]


def test_no_modules_import_one_another_in_a_circle() -> None:
    """Imports under `TYPE_CHECKING` and within functions count."""
    graph = grimp.build_graph(*PACKAGES, include_external_packages=False, cache_dir=None)
    assert circles(graph) == []


def test_nothing_in_the_runtime_imports_what_stands_above_it() -> None:
    """From the top: each line may import those below it, and none above."""
    order = [
        ("controller",),
        ("supervisor", "control"),
        ("preview",),
        ("commands",),
        ("execution",),
        ("trace", "configuration", "snapshots"),
        ("reconciler", "probe_jobs"),
        ("sync_run", "saving"),
        ("checkers", "settings", "overrides", "restart_only", "metrics", "tables"),
        ("state_store",),
        ("bus", "notify", "troubles", "void_log", "on_disk", "filling"),
        ("logging",),
    ]
    height = {f"maglev.runtime.{name}": at for at, names in enumerate(order) for name in names}
    graph = grimp.build_graph("maglev", cache_dir=None)
    runtime = {module for module in graph.modules if module.startswith("maglev.runtime.")}
    assert runtime == height.keys()
    upward = [
        (module, other)
        for module in sorted(runtime)
        for other in graph.find_modules_directly_imported_by(module)
        if other in height and height[other] <= height[module]
    ]
    assert upward == []


def test_nobody_but_the_way_in_imports_the_controller() -> None:
    graph = grimp.build_graph("maglev", cache_dir=None)
    assert graph.find_modules_that_directly_import("maglev.runtime.controller") == {"maglev.runtime"}


# --- callbacks ----------------------------------------------------------------------------------------------------


def assigned_from_outside(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield (line, target) of assignments that put a callback or an object into somebody else's attribute.

    Values (numbers, text, results of calls of lower-case functions) are not meant. A function, a lambda, a bound method
    or an instance made on the spot is.
    """
    defined = ast.FunctionDef | ast.AsyncFunctionDef
    functions = {node.name for node in tree.body if isinstance(node, defined)}
    methods = {
        m.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for m in node.body if isinstance(m, defined)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Attribute) and not _is_own(target) and _is_object(node.value, functions, methods):
                yield node.lineno, ast.unparse(target)


def _is_own(target: ast.Attribute) -> bool:
    return isinstance(target.value, ast.Name) and target.value.id in ("self", "cls")


def _is_object(value: ast.expr, functions: set[str], methods: set[str]) -> bool:
    match value:
        case ast.Lambda() | ast.Name(id="self"):
            return True
        case ast.Name(id=name):
            return name in functions
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return name in methods
        case _:
            return False


@pytest.mark.parametrize(
    "line,found",
    [
        ("backends.prober = self", ["backends.prober"]),
        ("self.frontends.mark = self.mark", ["self.frontends.mark"]),
        ("prober.on_start = lambda job: None", ["prober.on_start"]),
        ("self.mark = self.mark", []),
        ("record.probes = 3", []),
        ("record.last = result", []),
    ],
)
def test_a_callback_that_is_handed_over_late_is_found(line: str, found: list[str]) -> None:
    tree = ast.parse(f"class A:\n    def mark(self): ...\n    def run(self):\n        {line}\n")
    assert [target for _line, target in assigned_from_outside(tree)] == found


def test_no_object_is_handed_a_callback_or_another_object_after_it_was_made() -> None:
    faults = [
        f"{path.relative_to(ROOT)}:{line}: {target}"
        for source in SOURCES
        for path in sorted(source.rglob("*.py"))
        if not path.name.endswith("_pb2.py")
        for line, target in assigned_from_outside(ast.parse(path.read_text()))
    ]
    assert faults == []
