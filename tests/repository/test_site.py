"""Docstrings become what Sphinx reads, and every page can be reached. `make docs` builds the site and checks links."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.site.docstrings import to_rest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "written,read",
    [
        ("Takes `flow`.", "Takes :name:`flow`."),
        ("Raises `maglev.api.BadArgument`", "Raises :name:`maglev.api.BadArgument`"),
        ("What `type:` says", "What ``type:`` says"),
        ("`a <b>` and `--x`", "``a <b>`` and ``--x``"),
        ("one `name\n    over two lines` here", "one ``name over two lines`` here"),
        ("`xxhash64`(seed)", r":name:`xxhash64`\ (seed)"),
        ("**`key`**: why", ":name:`key`: why"),
        ("at most 2**16 of **these**", r"at most 2\*\*16 of **these**"),
        ("already ``literal``", "already ``literal``"),
    ],
)
def test_a_code_span_becomes_a_name_or_a_literal(written: str, read: str) -> None:
    assert "\n".join(to_rest(written.split("\n"))) == read


def test_a_fence_becomes_a_code_block_and_is_left_as_it_is() -> None:
    written = ["Use `it`:", "", "```python", "a = `b`", "```", "Or `not`."]
    read = ["Use :name:`it`:", "", ".. code-block:: python", "", "   a = `b`", "", "Or :name:`not`."]
    assert to_rest(written) == read


def test_every_page_is_in_a_table_of_contents() -> None:
    listed = set()
    for page in DOCS.rglob("*.md"):
        for toctree in TOCTREE.findall(page.read_text("utf-8")):
            for entry in re.findall(r"^[\w*].*$", toctree, re.MULTILINE):
                listed |= set(page.parent.glob(f"{entry}.md"))
    assert set(DOCS.rglob("*.md")) - {DOCS / "index.md"} == listed - {DOCS / "index.md"}


MODULE = '''"""A module: see `Shown`, `Gone`, and `maglev --help`."""

from pathlib import Path

__all__ = ["Shown", "use"]


class Hidden:
    """Not public."""


class Shown:
    """Public."""

    size: int = 0
    """How large: in bytes."""


def use(path: Path, shown: Shown) -> HIDDEN:
    """Use `shown`.

    Args:
        path: Where it is.
    """
'''
SITE = {
    "docs/conf.py": """
extensions = ["myst_parser", "sphinx.ext.autodoc", "tools.site"]
nitpicky = True
myst_heading_anchors = 3
""",
    "docs/index.md": """# Index

[contributing](../CONTRIBUTING.md) [security](../SECURITY.md) [script](../run.py)

```{toctree}
contributing
api
```
""",
    "docs/contributing.md": "```{include} ../CONTRIBUTING.md\n:relative-docs: docs/\n```\n",
    "docs/api.md": "# API\n\n```{eval-rst}\n.. automodule:: maglev_sample\n   :members:\n```\n",
    "CONTRIBUTING.md": "# Contributing\n\n[index](docs/index.md) [security](SECURITY.md) [script](run.py)\n",
    "SECURITY.md": "# Security\n",
    "run.py": "",
    "maglev_sample.py": MODULE.replace("HIDDEN", "None"),
}
"""A small site, with everything that the extension is for."""


def build(place: Path, files: dict[str, str]) -> str:
    """Build a site, and return what Sphinx complains about."""
    for name, text in files.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(text, "utf-8")
    command = [sys.executable, "-m", "sphinx", "-q", str(place / "docs"), str(place / "site")]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{place}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stderr


def test_links_and_names_lead_where_the_site_has_them(tmp_path: Path) -> None:
    assert build(tmp_path, SITE) == ""
    index, contributing = ((tmp_path / f"site/{name}.html").read_text("utf-8") for name in ("index", "contributing"))
    assert re.search(r'href="contributing.html"[^<]*<[^>]*>contributing<', index)
    assert 'href="index.html"' in contributing
    for page in (index, contributing):
        assert re.search(r'href="_downloads/\w+/SECURITY.md"', page)
        assert re.search(r'href="_downloads/\w+/run.py"', page)
    api = (tmp_path / "site/api.html").read_text("utf-8")
    assert api.count('href="#maglev_sample.Shown"') >= 2
    assert "How large: in bytes." in api
    assert "--help</span>" in api
    assert "#maglev_sample.Gone" not in api


def test_what_leads_nowhere_is_complained_about(tmp_path: Path) -> None:
    wrong = {
        "docs/api.md": SITE["docs/api.md"] + "\n[no page](nowhere.md) [no heading](index.md#nothing)\n",
        "maglev_sample.py": MODULE.replace("HIDDEN", "Hidden"),
    }
    complaints = build(tmp_path, SITE | wrong)
    assert len(complaints.splitlines()) == 3
    for name in ("nowhere.md", "nothing", "maglev_sample.Hidden"):
        assert name in complaints
