"""The how-to shows exactly the code of the examples."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/how-to/write-a-checker.md"
BLOCKS = re.findall(r"```(?:python|toml)\n(.*?)```", PAGE.read_text(), re.DOTALL)
SOURCES = [
    path.read_text()
    for example in ("maglev_redis", "maglev_grpc_health")
    for path in sorted((ROOT / "examples" / example).rglob("*"))
    if path.suffix in (".py", ".toml")
]


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_a_block_of_the_page_stands_in_an_example(block: str) -> None:
    assert any(block.strip() in source for source in SOURCES), block
