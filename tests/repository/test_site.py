"""Docstrings become what Sphinx reads, and every page can be reached. `make docs` builds the site and checks links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.site.docstrings import to_rest

DOCS = Path(__file__).parents[2] / "docs"
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
