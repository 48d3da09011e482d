from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "simulate.py"


@pytest.fixture(scope="module")
def simulate() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def test_it_prints_a_line_for_each_table_length_and_a_column_for_each_step(
    simulate: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    simulate["main"](["--servers", "4", "--weight", "100"])
    title, _, _, header, *rows = capsys.readouterr().out.splitlines()
    assert title == "One of 4 servers of weight 100 is drained."
    assert header.split() == ["weight-step", "100", "10", "1"]
    assert [row.split()[0] for row in rows] == ["1024", "4096", "16384", "65536"]
    assert all(len(row.split()) == 5 for row in rows)


def test_a_longer_table_and_fewer_entries_move_fewer_flows(simulate: dict[str, Any]) -> None:
    drain = simulate["drain"]
    by_length = [drain(10, 100, 10, length).moved_avoidable for length in (1024, 4096, 16384)]
    by_step = [drain(10, 100, step, 16384).moved_avoidable for step in (1, 10, 100)]
    assert by_length == sorted(by_length, reverse=True)
    assert by_step == sorted(by_step, reverse=True)
