"""Sphinx extension: makes pages and docstrings, written for code hosts and editors, work on the site too.

- A link to a page at the top of the repository leads to the page of the site that includes it.
- Docstrings may use Markdown's code spans and fences. A span is a link where the reference has that name.
- Names of other libraries have no link: the site is built without a network.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TypeVar

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.roles import XRefRole
from sphinx.util.typing import ExtensionMetadata

from tools.site.docstrings import to_rest

_ELSEWHERE = ("maglev.api", "maglev.plugin")
"""Modules with a page of their own; `maglev` hands some of their names on."""
_GENERATED = "_pb2"
_SECTIONS = Config(napoleon_use_rtype=False)


def read_docstring(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """Convert a docstring, and its sections (`Args:`, `Returns:`, `Raises:`)."""
    # For an attribute napoleon takes what stands before the first colon for a type: it is not told that it is one.
    kind = "object" if what in ("attribute", "data", "property") else what
    lines[:] = GoogleDocstring(to_rest(lines), _SECTIONS, app, kind, name, value, options).lines()  # type: ignore[arg-type]


def shorten_signature(
    app: Sphinx, what: str, name: str, value: object, options: object, arguments: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Show a default that is made anew for each object as an ellipsis."""
    return arguments and arguments.replace("= NOTHING", "= ...").replace("=NOTHING", "=..."), returns


class NameRole(XRefRole):
    """The role `name`: a reference to a Python object that need not be found."""

    def process_link(
        self,
        env: BuildEnvironment,
        refnode: nodes.Element,
        has_explicit_title: bool,  # noqa: FBT001  (the base class's signature)
        title: str,
        target: str,
    ) -> tuple[str, str]:
        """Note in which module and class the name is to be looked for."""
        refnode["refdomain"], refnode["reftype"], refnode["mentioned"] = "py", "obj", True
        refnode["py:module"] = env.ref_context.get("py:module")
        refnode["py:class"] = env.ref_context.get("py:class")
        return title, target


def leave_unlinked(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, content: nodes.TextElement
) -> nodes.Node | None:
    """Show a Python name without a link if nobody expects one.

    Returns:
        What to show; `None` for a name of ours in a signature, which must be found, or the build fails.
    """
    if node.get("refdomain") != "py":
        return None
    if node.get("mentioned") or not _is_to_be_found(str(node["reftarget"])):
        return content
    return None


def _is_to_be_found(target: str) -> bool:
    module, _, name = target.rpartition(".")
    if not module.startswith("maglev") or _GENERATED in module:
        return False
    try:
        return not isinstance(getattr(import_module(module), name, None), TypeVar)
    except ImportError:  # a name of a class, not of a module
        return True


def lead_outside(app: Sphinx, document: nodes.document) -> None:
    """Lead links to files outside the site's folder to the page that includes the file, or else to a copy of it."""
    root = Path(app.srcdir).parent
    for node in list(document.findall(addnodes.pending_xref)):
        target = _file_outside(node, root)
        if target is None:
            continue
        page = target.stem.lower()
        if target.parent == root and (Path(app.srcdir) / f"{page}.md").exists():
            node["refdomain"], node["reftarget"] = "doc", page
        else:
            path = f"/../{target.relative_to(root)}"
            copy = addnodes.download_reference("", "", *node.children, reftarget=path, refdoc=node["refdoc"])
            node.replace_self(copy)


def _file_outside(node: addnodes.pending_xref, root: Path) -> Path | None:
    """Return the file that a link leads to, if MyST could not make it out."""
    target = str(node.get("reftarget", ""))
    if node.get("refdomain") == "doc" and target.startswith("/"):
        return Path(f"{target}.md")  # a page, by its path without the suffix
    # A page that includes a file of the top folder has the links of that file.
    written = root / target.partition("#")[0]
    return written if node.get("reftype") == "myst" and "/" not in node["refdoc"] and written.is_file() else None


def skip_what_stands_elsewhere(app: Sphinx, what: str, name: str, value: object, skip: object, options: object) -> bool:
    """Leave out of the page of `maglev` what has a page of its own."""
    if app.env.current_document.autodoc_module != "maglev":
        return bool(skip)
    return bool(skip) or any(name in import_module(module).__all__ for module in _ELSEWHERE)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register all of it."""
    app.add_role("name", NameRole())
    app.connect("autodoc-process-docstring", read_docstring)
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("autodoc-skip-member", skip_what_stands_elsewhere)
    app.connect("missing-reference", leave_unlinked)
    app.connect("doctree-read", lead_outside, priority=400)  # copied files are collected at 500
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
